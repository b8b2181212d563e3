edgeloop_test(edge LABEL e2e TIMEOUT 180 SOURCES edge_test.cpp LIBRARIES edgeloop::link)
add_dependencies(e2e_edge edgeloop-edge)
edgeloop_test(bridge_programs LABEL e2e TIMEOUT 180 SOURCES bridge_test.cpp
              LIBRARIES edgeloop::link e2e_programs)
add_dependencies(e2e_bridge_programs edgeloop-edge edgeloop-bridge)
