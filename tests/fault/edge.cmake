add_executable(scripted_agent scripted_agent_main.cpp)
target_include_directories(scripted_agent PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(scripted_agent PRIVATE edgeloop_compile_options edgeloop::link)
set_target_properties(scripted_agent PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)

edgeloop_test(bridge LABEL fault TIMEOUT 300 SOURCES bridge_attack_test.cpp bridge_flood_test.cpp bridge_wan_test.cpp
              LIBRARIES edgeloop::link cppzmq::headers zeromq::zmq)
add_dependencies(fault_bridge scripted_agent edgeloop-bridge)
