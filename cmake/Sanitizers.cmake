# ADAGENTS_SANITIZE: a value for -fsanitize, for everything that is built here. Debian's libraries are
# not instrumented: ThreadSanitizer sees false races through libtbb and absl::Mutex, so a `thread`
# build registers only the tests that say TSAN (see adagents_test in tests/CMakeLists.txt).
if(ADAGENTS_SANITIZE)
  add_compile_options(-fsanitize=${ADAGENTS_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=${ADAGENTS_SANITIZE})
endif()
