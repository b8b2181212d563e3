edgeloop_test(link_fuzz LABEL fuzz SOURCES link_fuzz_test.cpp LIBRARIES edgeloop::bridge_store edgeloop::link edgeloop::space)

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_executable(link_fuzzer link_fuzzer.cpp)
  target_include_directories(link_fuzzer PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_compile_options(link_fuzzer PRIVATE -fsanitize=fuzzer)
  target_link_options(link_fuzzer PRIVATE -fsanitize=fuzzer)
  target_link_libraries(link_fuzzer PRIVATE edgeloop_compile_options edgeloop::bridge_store edgeloop::space)
endif()
