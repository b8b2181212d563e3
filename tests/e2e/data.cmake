edgeloop_test(data LABEL e2e TIMEOUT 300 SOURCES data_test.cpp LIBRARIES edgeloop::data edgeloop::hdf5)
add_dependencies(e2e_data edgeloop-data)
