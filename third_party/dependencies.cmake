# Finds every library edgeloop uses. Nothing else in the project calls find_package.
# third_party/README.md lists name, version, licence and user of each.

# Finds a package with a CMake config or find module, or stops with the Debian package to install.
#   edgeloop_require(<name> <debian package> [<find_package arguments>...])
macro(edgeloop_require name debian)
  find_package(${name} ${ARGN} QUIET)
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "edgeloop needs ${name} ${ARGN}, which was not found. "
                        "On Debian or Ubuntu: apt-get install ${debian}. "
                        "Elsewhere install it and pass -DCMAKE_PREFIX_PATH=<where>.")
  endif()
endmacro()

# Finds a header-only or plain library without a CMake config and wraps it in an imported target.
#   edgeloop_require_plain(<target> <debian package> <header> [<library>])
function(edgeloop_require_plain target debian header)
  string(MAKE_C_IDENTIFIER ${target} id)
  find_path(${id}_INCLUDE ${header})
  if(ARGC GREATER 3)
    find_library(${id}_LIBRARY ${ARGV3})
  endif()
  if(NOT ${id}_INCLUDE OR (ARGC GREATER 3 AND NOT ${id}_LIBRARY))
    message(FATAL_ERROR "edgeloop needs ${header}, which was not found. "
                        "On Debian or Ubuntu: apt-get install ${debian}.")
  endif()
  mark_as_advanced(${id}_INCLUDE ${id}_LIBRARY)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE ${${id}_INCLUDE})
  if(ARGC GREATER 3)
    target_link_libraries(${target} INTERFACE ${${id}_LIBRARY})
  endif()
endfunction()

edgeloop_require(Threads libc6-dev)
edgeloop_require(fmt libfmt-dev 8)
edgeloop_require(spdlog libspdlog-dev 1.8)
edgeloop_require(nlohmann_json nlohmann-json3-dev 3.9)
edgeloop_require(ZLIB zlib1g-dev)
edgeloop_require_plain(xxhash::xxhash libxxhash-dev xxhash.h xxhash)
edgeloop_require_plain(cereal::headers libcereal-dev cereal/archives/portable_binary.hpp)
edgeloop_require_plain(cppzmq::headers cppzmq-dev zmq.hpp)
edgeloop_require_plain(zeromq::zmq libzmq3-dev zmq.h zmq)
edgeloop_require_plain(sqlite::sqlite libsqlite3-dev sqlite3.h sqlite3)
edgeloop_require(Boost libboost-program-options-dev 1.71 COMPONENTS program_options)
option(EDGELOOP_TORCH "Use LibTorch; without it, with EDGELOOP_EDGE_ONLY, the agent has the runtime native alone" ON)
if(EDGELOOP_TORCH OR NOT EDGELOOP_EDGE_ONLY)
  include(${CMAKE_CURRENT_LIST_DIR}/libtorch_of_pytorch.cmake)
endif()
if(TARGET edgeloop_torch OR (EDGELOOP_EDGE_ONLY AND NOT EDGELOOP_TORCH))
  set(Torch_FOUND ${EDGELOOP_TORCH})
elseif(EDGELOOP_EDGE_ONLY)
  find_package(Torch 1.13 QUIET)
  if(NOT Torch_FOUND)
    message(STATUS "No LibTorch here: edgeloop-edge has the runtime native")
  endif()
else()
  edgeloop_require(Torch libtorch-dev 1.13)
endif()
edgeloop_require(OpenMP "gcc (with Clang: libomp-dev)" COMPONENTS CXX)

# LibTorch's config puts its flags into one variable and its headers on plain -I; give it a target
# of its own so that its headers are system headers (no warnings of theirs in our build).
if(Torch_FOUND AND NOT TARGET edgeloop_torch)
  add_library(edgeloop_torch INTERFACE)
  add_library(edgeloop::torch ALIAS edgeloop_torch)
  target_include_directories(edgeloop_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(edgeloop_torch INTERFACE ${TORCH_LIBRARIES})
endif()

# Optional: libonnxruntime-dev of Debian 13, whose headers are in onnxruntime/; Debian 12 has none. An unpacked release has
# include/ and lib/: pass its folder in CMAKE_PREFIX_PATH.
find_path(EDGELOOP_ONNXRUNTIME_INCLUDE onnxruntime_cxx_api.h PATH_SUFFIXES onnxruntime onnxruntime/core/session)
find_library(EDGELOOP_ONNXRUNTIME_LIBRARY onnxruntime)
mark_as_advanced(EDGELOOP_ONNXRUNTIME_INCLUDE EDGELOOP_ONNXRUNTIME_LIBRARY)
if(EDGELOOP_ONNXRUNTIME_INCLUDE AND EDGELOOP_ONNXRUNTIME_LIBRARY)
  message(STATUS "ONNX Runtime: ${EDGELOOP_ONNXRUNTIME_LIBRARY}")
  add_library(edgeloop_onnxruntime INTERFACE)
  add_library(edgeloop::onnxruntime ALIAS edgeloop_onnxruntime)
  target_include_directories(edgeloop_onnxruntime SYSTEM INTERFACE ${EDGELOOP_ONNXRUNTIME_INCLUDE})
  target_link_libraries(edgeloop_onnxruntime INTERFACE ${EDGELOOP_ONNXRUNTIME_LIBRARY})
endif()

if(NOT EDGELOOP_EDGE_ONLY)
  edgeloop_require(Eigen3 libeigen3-dev 3.3 NO_MODULE)
  edgeloop_require(MPI "libopenmpi-dev openmpi-bin" 3.0 COMPONENTS C)
  edgeloop_require(PNG libpng-dev)
  edgeloop_require(HDF5 libhdf5-dev 1.10 COMPONENTS C)
  add_library(edgeloop_hdf5 INTERFACE)
  add_library(edgeloop::hdf5 ALIAS edgeloop_hdf5)
  target_include_directories(edgeloop_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
  target_link_libraries(edgeloop_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
endif()

if(EDGELOOP_TESTS)
  edgeloop_require(GTest "libgtest-dev libgmock-dev")
endif()

if(EDGELOOP_BENCHMARKS)
  find_package(pagmo QUIET)  # a peer to compare with; its benchmarks are left out without it
endif()
