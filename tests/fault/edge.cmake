add_executable(scripted_agent scripted_agent_main.cpp)
target_include_directories(scripted_agent PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(scripted_agent PRIVATE edgeloop_compile_options edgeloop::link)
set_target_properties(scripted_agent PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)

edgeloop_test(bridge LABEL fault TIMEOUT 300 SOURCES bridge_attack_test.cpp bridge_flood_test.cpp bridge_wan_test.cpp bridge_week_test.cpp
              LIBRARIES edgeloop::link cppzmq::headers zeromq::zmq)
add_dependencies(fault_bridge scripted_agent edgeloop-bridge)

add_executable(hostile_agent hostile_agent_main.cpp ${PROJECT_SOURCE_DIR}/tests/support/hostile_network.cpp)
target_include_directories(hostile_agent PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(hostile_agent PRIVATE edgeloop_compile_options edgeloop::edge)
set_target_properties(hostile_agent PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)

edgeloop_test(hostile_job LABEL fault TIMEOUT 300
              SOURCES hostile_job_test.cpp ${PROJECT_SOURCE_DIR}/tests/support/hostile_network.cpp
              LIBRARIES edgeloop::edge edgeloop::link)
add_dependencies(fault_hostile_job hostile_agent)

edgeloop_test(adapt LABEL fault TIMEOUT 1800 SOURCES adapt_fault_test.cpp LIBRARIES edgeloop::inference edgeloop::preprocessing)
add_dependencies(fault_adapt edgeloop-edge hang_on_rename)
