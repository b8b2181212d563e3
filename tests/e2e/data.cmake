edgeloop_test(data LABEL e2e TIMEOUT 300 SOURCES data_test.cpp LIBRARIES edgeloop::data edgeloop::hdf5)
add_dependencies(e2e_data edgeloop-data)
add_library(refuse_folder_sync MODULE ../support/refuse_folder_sync.cpp)
set_target_properties(refuse_folder_sync PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
add_dependencies(e2e_data refuse_folder_sync)

edgeloop_test(hostile_recording LABEL e2e TIMEOUT 300 SOURCES hostile_recording_test.cpp
              LIBRARIES edgeloop::data edgeloop::hdf5 e2e_programs)
add_library(hang_on_rename MODULE ../support/hang_on_rename.cpp)
set_target_properties(hang_on_rename PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
add_dependencies(e2e_hostile_recording edgeloop-data hang_on_rename)

edgeloop_e2e_test(adapt TIMEOUT 600 SOURCES adapt_test.cpp LIBRARIES edgeloop::adaptation edgeloop::inference edgeloop::preprocessing)
add_dependencies(e2e_adapt edgeloop-data edgeloop-edge)
