# Run after a test program was built: asks it for its suites and writes a ctest file with one test for
# each, named <PREFIX><suite>. Wants PROGRAM, PREFIX, OUTPUT, LABEL, TIMEOUT and ENVIRONMENT (| for ;).
execute_process(COMMAND ${PROGRAM} --gtest_list_tests OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "|" ";" ENVIRONMENT "${ENVIRONMENT}")
string(REGEX MATCHALL "\n[^ \n]+\\." suites "\n${listing}")
if(NOT suites)
  message(FATAL_ERROR "${PROGRAM} lists no tests")
endif()
set(text "")
foreach(suite IN LISTS suites)
  string(REGEX REPLACE "^\n(.*)\\.$" "\\1" suite "${suite}")
  string(APPEND text
    "add_test([==[${PREFIX}${suite}]==] [==[${PROGRAM}]==] [==[--gtest_filter=${suite}.*]==])\n"
    "set_tests_properties([==[${PREFIX}${suite}]==] PROPERTIES LABELS ${LABEL} TIMEOUT ${TIMEOUT} ENVIRONMENT [==[${ENVIRONMENT}]==])\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
