edgeloop_test(edge LABEL e2e TIMEOUT 180 SOURCES edge_test.cpp LIBRARIES edgeloop::link e2e_programs)
add_dependencies(e2e_edge edgeloop-edge)
edgeloop_test(bridge_programs LABEL e2e TIMEOUT 180 SOURCES bridge_test.cpp
              LIBRARIES edgeloop::architecture edgeloop::bridge_store edgeloop::link e2e_programs)
add_dependencies(e2e_bridge_programs edgeloop-edge edgeloop-bridge scripted_agent)

add_executable(modelled_agent modelled_agent_main.cpp)
target_include_directories(modelled_agent PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(modelled_agent PRIVATE edgeloop_compile_options edgeloop::link edgeloop::model)
set_target_properties(modelled_agent PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
edgeloop_e2e_test(outage SOURCES outage_test.cpp)
add_dependencies(e2e_outage modelled_agent edgeloop-search edgeloop-edge)

edgeloop_e2e_test(keyed_search SOURCES keyed_search_test.cpp)
add_dependencies(e2e_keyed_search edgeloop-search edgeloop-edge edgeloop-bridge)
edgeloop_e2e_test(measuring_search SOURCES measuring_search_test.cpp LIBRARIES edgeloop::link)
add_dependencies(e2e_measuring_search edgeloop-search edgeloop-edge edgeloop-bridge)

edgeloop_e2e_test(hostile_device SOURCES hostile_device_test.cpp LIBRARIES edgeloop::link cppzmq::headers zeromq::zmq)
add_dependencies(e2e_hostile_device edgeloop-search edgeloop-bridge)

edgeloop_test(native LABEL e2e TIMEOUT 180 SOURCES native_test.cpp LIBRARIES edgeloop::core edgeloop::inference edgeloop::preprocessing e2e_programs)
add_dependencies(e2e_native c_program edgeloop-edge edgeloop-model)
edgeloop_test(rtl LABEL e2e TIMEOUT 600 SOURCES rtl_test.cpp LIBRARIES e2e_programs)
add_dependencies(e2e_rtl edgeloop-model)
edgeloop_test(model_file LABEL e2e TIMEOUT 300 SOURCES model_file_test.cpp LIBRARIES edgeloop::core edgeloop::torch e2e_programs)
add_dependencies(e2e_model_file edgeloop-edge edgeloop-bridge)
edgeloop_test(stream_programs LABEL e2e TIMEOUT 180 SOURCES stream_test.cpp LIBRARIES edgeloop::inference edgeloop::preprocessing e2e_programs)
add_dependencies(e2e_stream_programs edgeloop-edge)
