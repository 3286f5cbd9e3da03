# ADAGENTS_SANITIZE: a value for -fsanitize, for everything that is built here. Debian's libraries are
# not instrumented: ThreadSanitizer sees false races through libtbb and absl::Mutex, so a `thread`
# build registers only the tests that say TSAN (see adagents_test in tests/CMakeLists.txt).

# From 20230125 on, Abseil's hash tables have another layout under AddressSanitizer, in the headers
# and in the library; Debian's library has the plain one, so every table would be read wrongly.
if(ADAGENTS_SANITIZE MATCHES "address" AND absl_VERSION VERSION_GREATER_EQUAL 20230125)
  message(WARNING "AddressSanitizer is left out: Abseil ${absl_VERSION} was built without it")
  string(REGEX REPLACE "address,?" "" ADAGENTS_SANITIZE "${ADAGENTS_SANITIZE}")
endif()

if(ADAGENTS_SANITIZE)
  add_compile_options(-fsanitize=${ADAGENTS_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -O1 -g1)
  # Instrumented code defeats g++'s flow analysis: it takes Abseil's inlined vectors, for one, for
  # uninitialized. The other builds keep these warnings.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  # Newer Abseil compares function addresses in constant expressions, which g++ refuses while it
  # checks for null (GCC bug 71962). AddressSanitizer stops at a null pointer all the same.
  if(ADAGENTS_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND
     CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
    add_compile_options(-fno-sanitize=null,nonnull-attribute,returns-nonnull-attribute)
  endif()
  add_link_options(-fsanitize=${ADAGENTS_SANITIZE})
endif()
