# edgeloop_module(<name> SOURCES ... [PUBLIC <targets>...] [PRIVATE <targets>...] [HEADERS <targets>...])
#
# One module = include/edgeloop/<name>/ + src/<name>/ = one static library edgeloop_<name> with the
# alias edgeloop::<name>. What it names here is what it may include (tests/lint/check_includes.py reads
# it): PUBLIC targets are those whose headers appear in the module's own public headers; everything else
# is PRIVATE. HEADERS: of these only plain structs are used, so they are not linked.
function(edgeloop_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE;HEADERS" ${ARGN})
  add_library(edgeloop_${name} STATIC ${arg_SOURCES})
  add_library(edgeloop::${name} ALIAS edgeloop_${name})
  target_include_directories(edgeloop_${name}
                             PUBLIC ${PROJECT_SOURCE_DIR}/include
                             PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(edgeloop_${name} PUBLIC ${arg_PUBLIC}
                                         PRIVATE edgeloop_compile_options ${arg_PRIVATE})
endfunction()

# edgeloop_program(<name> SOURCES ... LIBRARIES ...): one executable in <build>/bin, installed with its completion for
# bash, which looks for a file of the program's name.
function(edgeloop_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE edgeloop_compile_options ${arg_LIBRARIES})
  install(TARGETS ${name} RUNTIME DESTINATION bin)
  install(FILES ${PROJECT_SOURCE_DIR}/src/cli/edgeloop.bash DESTINATION share/bash-completion/completions RENAME ${name})
endfunction()

add_library(edgeloop_compile_options INTERFACE)
target_compile_options(edgeloop_compile_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast)
if(EDGELOOP_WARNINGS_AS_ERRORS)
  target_compile_options(edgeloop_compile_options INTERFACE -Werror)
endif()
if(CMAKE_UNITY_BUILD)
  # What the file of a unity build includes is a header to GCC, and its unnamed namespace a mistake.
  target_compile_options(edgeloop_compile_options INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
endif()
if(EDGELOOP_SANITIZE)
  add_compile_options(-fsanitize=${EDGELOOP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${EDGELOOP_SANITIZE})
  # GCC follows no value through what a sanitizer adds, and calls the standard library's own uninitialized.
  target_compile_options(edgeloop_compile_options INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
endif()

# edgeloop_embed(<folder> <function> <header> <source> [<pattern>]): sets the variable <source> to a C++ file
# that defines <function> (with its namespace in edgeloop), declared in <header>: the files of the folder as ShippedFile; without a pattern
# those in JSON.
function(edgeloop_embed folder function header source)
  set(pattern *.json)
  if(ARGC GREATER 4)
    set(pattern ${ARGV4})
  endif()
  file(GLOB files CONFIGURE_DEPENDS ${folder}/${pattern})
  string(MAKE_C_IDENTIFIER ${function} name)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  set(script ${PROJECT_SOURCE_DIR}/src/embed.cmake)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_CURRENT_SOURCE_DIR}/${folder} -DPATTERN=${pattern} -DFUNCTION=${function}
            -DHEADER=${header} -DOUTPUT=${output} -P ${script}
    DEPENDS ${files} ${script} VERBATIM
    COMMENT "Embedding shipped ${folder}")
  set(${source} ${output} PARENT_SCOPE)
endfunction()
