# The GPU backend: FROND_CUDA is AUTO (on where a toolkit is found), ON, OFF, or EMULATED (kernels run on the
# CPU, slowly, for tests; tests/gpu/emulator). Sets FROND_HAVE_CUDA, FROND_HAVE_NCCL, FROND_HAVE_CUDNN and makes
# frond_cuda_runtime, which the folders that wrap CUDA link.

set(FROND_CUDA AUTO CACHE STRING "NVIDIA GPU backend: AUTO, ON, OFF, or EMULATED (tests without a GPU)")
set(FROND_NCCL AUTO CACHE STRING "NCCL communicator: AUTO (with CUDA and MPI, where found), ON, OFF")
set(FROND_CUDNN AUTO CACHE STRING "cuDNN's attention: AUTO (with CUDA, where its headers are found), ON, OFF")
set(FROND_CUDA_TARGETS "80;90a" CACHE STRING "GPU architectures that kernels are compiled for")
set(FROND_HAVE_CUDA OFF)
set(FROND_HAVE_NCCL OFF)
set(FROND_HAVE_CUDNN OFF)
set(FROND_EMULATED_CUDA OFF)

if(FROND_CUDA STREQUAL "EMULATED")
  set(FROND_HAVE_CUDA ON)
  set(FROND_EMULATED_CUDA ON)
  # Before the project's own folder: the emulator's headers stand in for the toolkit's and for ptx.cuh.
  include_directories(BEFORE ${PROJECT_SOURCE_DIR}/tests/gpu/emulator/include)
  set(frond_cuda_text "EMULATED on the CPU")
elseif(NOT FROND_CUDA STREQUAL "OFF")
  if(NOT CMAKE_CUDA_COMPILER)
    find_program(FROND_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin /usr/local/cuda/bin)
    if(FROND_NVCC)
      set(CMAKE_CUDA_COMPILER ${FROND_NVCC})
    endif()
  endif()
  if(CMAKE_CUDA_COMPILER)
    # Kernels name their architectures below; CMake's own list has no sm_90a.
    set(CMAKE_CUDA_ARCHITECTURES OFF)
    enable_language(CUDA)
    # CMake 3.25 does not know yet that nvcc has C++20.
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    find_package(CUDAToolkit 12.4)
  endif()
  if(CUDAToolkit_FOUND AND TARGET CUDA::cublasLt)
    set(FROND_HAVE_CUDA ON)
    set(frond_cuda_text "${CUDAToolkit_VERSION} for ${FROND_CUDA_TARGETS}")
  elseif(FROND_CUDA STREQUAL "ON")
    message(FATAL_ERROR "FROND_CUDA=ON: no CUDA toolkit (nvcc and cuBLASLt, 12.4 or newer) was found; "
                        "put nvcc on PATH, set CUDA_HOME, or set FROND_CUDA=OFF")
  endif()
endif()

if(FROND_HAVE_CUDA AND NOT FROND_EMULATED_CUDA)
  if(CCACHE_PROGRAM)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  endif()
  string(APPEND CMAKE_CUDA_FLAGS " --expt-relaxed-constexpr -lineinfo")
  foreach(target IN LISTS FROND_CUDA_TARGETS)
    string(APPEND CMAKE_CUDA_FLAGS " -gencode=arch=compute_${target},code=sm_${target}")
  endforeach()
  # For newer GPUs the driver compiles the code of the oldest target.
  list(GET FROND_CUDA_TARGETS 0 oldest)
  string(APPEND CMAKE_CUDA_FLAGS " -gencode=arch=compute_${oldest},code=compute_${oldest}")
  add_library(frond_cuda_runtime INTERFACE)
  target_link_libraries(frond_cuda_runtime INTERFACE CUDA::cudart_static CUDA::cublasLt)
  target_include_directories(frond_cuda_runtime INTERFACE ${CUDAToolkit_INCLUDE_DIRS})

  if(NOT FROND_NCCL STREQUAL "OFF" AND FROND_HAVE_MPI)
    find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
    find_library(NCCL_LIBRARY nccl HINTS ${CUDAToolkit_LIBRARY_DIR})
    if(NCCL_INCLUDE_DIR AND NCCL_LIBRARY)
      set(FROND_HAVE_NCCL ON)
      add_library(frond_nccl INTERFACE)
      target_link_libraries(frond_nccl INTERFACE ${NCCL_LIBRARY})
      target_include_directories(frond_nccl INTERFACE ${NCCL_INCLUDE_DIR})
    endif()
  endif()

  if(NOT FROND_CUDNN STREQUAL "OFF")
    find_path(CUDNN_INCLUDE_DIR cudnn_graph.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
    if(CUDNN_INCLUDE_DIR)
      file(STRINGS ${CUDNN_INCLUDE_DIR}/cudnn_version.h frond_cudnn_lines REGEX "#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) ")
      string(REGEX REPLACE "[^0-9;]" "" frond_cudnn_version "${frond_cudnn_lines}")
      string(REPLACE ";" "." frond_cudnn_version "${frond_cudnn_version}")
      # Older ones mask scores with another number, and the first of 9.10 are known to be wrong.
      if(frond_cudnn_version VERSION_GREATER_EQUAL 9.10.2)
        set(FROND_HAVE_CUDNN ON)
        add_library(frond_cudnn INTERFACE)
        # The library itself is loaded by the program that asks for it (core/ops/cuda/cudnn_library.h).
        target_link_libraries(frond_cudnn INTERFACE ${CMAKE_DL_LIBS})
        target_include_directories(frond_cudnn INTERFACE ${CUDNN_INCLUDE_DIR})
      endif()
    endif()
  endif()
endif()
if(FROND_NCCL STREQUAL "ON" AND NOT FROND_HAVE_NCCL)
  message(FATAL_ERROR "FROND_NCCL=ON needs the CUDA backend, MPI, and nccl.h with libnccl")
endif()

if(FROND_CUDNN STREQUAL "ON" AND NOT FROND_HAVE_CUDNN)
  message(FATAL_ERROR "FROND_CUDNN=ON needs the CUDA backend, and the headers of cuDNN 9.10.2 or newer (cudnn_graph.h)")
endif()

# frond_cuda_sources(a.cu b.cu): to be called before the target that lists them. An emulated build compiles
# them as C++ against the emulator's headers.
function(frond_cuda_sources)
  if(FROND_EMULATED_CUDA)
    set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS
      "-x;c++;-O2;-Wno-unknown-pragmas;-Wno-unused-parameter")
  endif()
endfunction()
