# LibTorch as PyTorch gives it away: the wheel or the download. Makes edgeloop::torch of one that is
# found in CMAKE_PREFIX_PATH or Torch_DIR.
#
# The CMake config in it is passed by. One that was built for CUDA stops without the whole CUDA
# toolkit, compiler and all; edgeloop compiles no CUDA code and needs the toolkit neither for building
# nor for running. And it puts headers of other libraries before the system's.

string(REPLACE ":" ";" edgeloop_prefixes "$ENV{CMAKE_PREFIX_PATH}")
find_file(EDGELOOP_TORCH_CONFIG TorchConfig.cmake
  HINTS ${Torch_DIR} ${CMAKE_PREFIX_PATH} ${edgeloop_prefixes}
  PATH_SUFFIXES Torch share/cmake/Torch torch/share/cmake/Torch NO_DEFAULT_PATH)
mark_as_advanced(EDGELOOP_TORCH_CONFIG)
if(NOT EDGELOOP_TORCH_CONFIG)
  return()
endif()
get_filename_component(edgeloop_torch_root ${EDGELOOP_TORCH_CONFIG}/../../../.. ABSOLUTE)
if(NOT EXISTS ${edgeloop_torch_root}/lib/libtorch.so OR NOT EXISTS ${edgeloop_torch_root}/include/torch)
  return()  # a distribution's, which has its files elsewhere
endif()

set(PACKAGE_FIND_VERSION 1.13)
include(${edgeloop_torch_root}/share/cmake/Torch/TorchConfigVersion.cmake)
file(READ ${EDGELOOP_TORCH_CONFIG} edgeloop_torch_config)
if(NOT PACKAGE_VERSION_COMPATIBLE)
  message(FATAL_ERROR "LibTorch ${PACKAGE_VERSION} in ${edgeloop_torch_root} is too old: edgeloop needs 1.13 or later.")
elseif(edgeloop_torch_config MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
  message(FATAL_ERROR "LibTorch ${PACKAGE_VERSION} in ${edgeloop_torch_root} has the ABI of before C++11, which no "
                      "library of Debian or Ubuntu has. Use a wheel of PyTorch 2.7 or later, or the download "
                      "'libtorch-cxx11-abi'.")
endif()
if(EXISTS ${edgeloop_torch_root}/lib/libtorch_cuda.so)
  message(STATUS "LibTorch ${PACKAGE_VERSION} for CUDA: ${edgeloop_torch_root}")
else()
  message(STATUS "LibTorch ${PACKAGE_VERSION} for CPUs: ${edgeloop_torch_root}")
endif()

# Beside its own headers are those of libraries that edgeloop takes from the system, in other versions
# (fmt, protobuf, pybind11): links to its own alone.
set(edgeloop_torch_headers ${CMAKE_BINARY_DIR}/libtorch_headers)
file(MAKE_DIRECTORY ${edgeloop_torch_headers})
foreach(folder ATen c10 caffe2 torch)
  if(EXISTS ${edgeloop_torch_root}/include/${folder})
    file(CREATE_LINK ${edgeloop_torch_root}/include/${folder} ${edgeloop_torch_headers}/${folder} SYMBOLIC)
  endif()
endforeach()

add_library(edgeloop_torch INTERFACE)
add_library(edgeloop::torch ALIAS edgeloop_torch)
target_include_directories(edgeloop_torch SYSTEM INTERFACE
  ${edgeloop_torch_headers} ${edgeloop_torch_headers}/torch/csrc/api/include)
# The compiler's library comes first: the wheel's libtorch_cpu.so shows parts of one of its own, and
# with them in front std::filesystem::remove_all() ended in a segmentation fault on Ubuntu 24.04.
# libtorch.so has no symbol that we use and only brings the others: a linker that drops such libraries
# (Ubuntu's does unless told otherwise) would drop CUDA.
target_link_libraries(edgeloop_torch INTERFACE
  "-Wl,--push-state,--no-as-needed,-lstdc++,--pop-state"
  "-Wl,--push-state,--no-as-needed,${edgeloop_torch_root}/lib/libtorch.so,--pop-state"
  ${edgeloop_torch_root}/lib/libtorch_cpu.so ${edgeloop_torch_root}/lib/libc10.so)
