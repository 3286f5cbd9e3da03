// A program that a test starts and kills, and the page on which it acknowledges what it has done.
#pragma once

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include "catch.h"

namespace adagents::crash {

/// A T of atomics, in memory of the test's that the program maps too, so it outlives the program.
template <class T>
class Page {
 public:
  Page() : fd_(memfd_create("acks", 0)) {
    REQUIRE(fd_ >= 0);
    REQUIRE(ftruncate(fd_, sizeof(T)) == 0);
    void* memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    REQUIRE(memory != MAP_FAILED);
    acks_ = new (memory) T;
  }
  ~Page() {
    munmap(acks_, sizeof(T));
    close(fd_);
  }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;
  T* operator->() const { return acks_; }
  int fd() const { return fd_; }

 private:
  const int fd_;
  T* acks_ = nullptr;
};

/// A running `PROGRAM PATH PAGE SEED`; killed at the latest when it goes out of scope.
class KilledWriter {
 public:
  KilledWriter(const char* program, const std::string& path, int page, uint64_t seed) {
    const std::string fd = std::to_string(page);
    const std::string seed_text = std::to_string(seed);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      execl(program, program, path.c_str(), fd.c_str(), seed_text.c_str(), nullptr);
      _exit(9);
    }
  }
  ~KilledWriter() {
    if (pid_ > 0) (void)End();
  }
  KilledWriter(const KilledWriter&) = delete;
  KilledWriter& operator=(const KilledWriter&) = delete;

  template <class F>
  void AwaitThat(F holds) {
    while (!holds()) Look();
  }
  void Kill() {
    const int status = End();
    INFO("the writer ended by itself, with status " << status);
    REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  }

 private:
  void Look() {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      INFO("the writer ended by itself, with status " << status);
      REQUIRE(false);
    }
    sched_yield();
  }
  int End() {
    int status = 0;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  pid_t pid_ = -1;
};

/// How often: more with ADAGENTS_LONG set.
inline uint64_t Kills(uint64_t few, uint64_t many) {
  return std::getenv("ADAGENTS_LONG") != nullptr ? many : few;
}

}  // namespace adagents::crash
