# LibTorch for the CPU: target LibTorch::LibTorch. Debian's package and PyTorch's archives are both
# found; the latter through CMAKE_PREFIX_PATH. TorchConfig.cmake, which both bring, looks for MKL, CUDA
# and protobuf and changes flags of the whole project, so that it is not used.
find_path(LibTorch_INCLUDE_DIR ATen/ATen.h)
find_library(LibTorch_LIBRARY torch)
find_library(LibTorch_CPU_LIBRARY torch_cpu)
find_library(LibTorch_C10_LIBRARY c10)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR)
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_LIBRARY LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY)
if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  set_target_properties(LibTorch::LibTorch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES
      "${LibTorch_LIBRARY};${LibTorch_CPU_LIBRARY};${LibTorch_C10_LIBRARY}")
endif()
