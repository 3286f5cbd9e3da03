// The runner of every unit-test executable. A test case that checks nothing fails, and so does a
// name that matches no test case.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
namespace {
constexpr auto kWarnings = static_cast<Catch::WarnAbout::What>(Catch::WarnAbout::NoAssertions |
                                                               Catch::WarnAbout::UnmatchedTestSpec);
}
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
namespace {
constexpr auto kWarnings =
    static_cast<Catch::WarnAbout::What>(Catch::WarnAbout::NoAssertions | Catch::WarnAbout::NoTests);
}
#endif

int main(int argc, char** argv) {
  Catch::Session session;
  const int usage_error = session.applyCommandLine(argc, argv);
  if (usage_error != 0) return usage_error;
  session.configData().warnings = kWarnings;
  return session.run();
}
