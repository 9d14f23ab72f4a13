// Ranks on MPI: the one file that knows it, and a library of its own (open_group loads it).
#include <mpi.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <list>
#include <thread>

#include "framework/core/error.h"
#include "framework/parallel/group.h"
#if defined(ADWP_HAS_NCCL)
#include "framework/parallel/nccl_link.h"
#endif

namespace adwp::parallel {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_bytes = std::size_t{1} << 30;  // of one MPI message, which counts in int

void check(int status, const char* what) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(status, text, &length);
  fail("ranks", "{} failed: {}", what, std::string(text, length));
}

// Waits asleep: MPI itself would spin, and take a core from a rank that computes.
void wait_for(MPI_Request& request) {
  auto pause = 0us;
  for (int tries = 0;; ++tries) {
    int done = 0;
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done) return;
    if (tries < 200) {
      std::this_thread::yield();
      continue;
    }
    pause = std::min<std::chrono::microseconds>(pause + 20us, 1ms);
    std::this_thread::sleep_for(pause);
  }
}

class MpiGroup : public Group {
 public:
  MpiGroup() {
    // Ranks must not outlive the launcher that watches them.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    check(MPI_Init(nullptr, nullptr), "MPI_Init");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  ~MpiGroup() override {
#if defined(ADWP_HAS_NCCL)
    link_.reset();
#endif
    MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  std::vector<std::string> gather(const std::string& mine) override {
    std::vector<std::uint64_t> lengths(size_);
    const std::uint64_t length = mine.size();
    collective(MPI_Iallgather, &length, 1, MPI_UINT64_T, lengths.data(), 1, MPI_UINT64_T, MPI_COMM_WORLD);
    std::vector<std::string> all(size_);
    for (int r = 0; r < size_; ++r) {
      all[r] = r == rank_ ? mine : std::string(lengths[r], '\0');
      broadcast_from(r, all[r]);
    }
    return all;
  }

  std::string broadcast(const std::string& bytes) override {
    std::uint64_t length = bytes.size();
    collective(MPI_Ibcast, &length, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    std::string all = rank_ == 0 ? bytes : std::string(length, '\0');
    broadcast_from(0, all);
    return all;
  }

#if defined(ADWP_HAS_NCCL)
  bool links(Memory& memory) override {
    if (!asked_) link_ = NcclLink::open(*this, memory);
    asked_ = true;
    return link_ != nullptr;
  }
  using Group::gather;
  void gather(const Tensor& mine, const Tensor& all) override { link_->gather(mine, all); }
#endif

  void send(int to, std::string bytes) override {
    const std::uint64_t length = bytes.size();
    bytes.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
    Sending& sending = sending_.emplace_back(Sending{std::move(bytes), {}});
    for (std::size_t at = 0; at < sending.bytes.size(); at += most_bytes) {
      const std::size_t part = std::min(most_bytes, sending.bytes.size() - at);
      check(MPI_Isend(sending.bytes.data() + at, part, MPI_BYTE, to, 0, MPI_COMM_WORLD,
                      &sending.requests.emplace_back()),
            "MPI_Isend");
    }
    forget_sent();
  }

  std::optional<Message> receive() override {
    forget_sent();
    int there = 0;
    MPI_Status status;
    check(MPI_Iprobe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &there, &status), "MPI_Iprobe");
    if (!there) return std::nullopt;
    std::string bytes = receive_part(status);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    while (bytes.size() < length + sizeof length) {
      check(MPI_Probe(status.MPI_SOURCE, 0, MPI_COMM_WORLD, &status), "MPI_Probe");
      bytes += receive_part(status);
    }
    return Message{status.MPI_SOURCE, bytes.substr(sizeof length)};
  }

  void abort(int code) override {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
  }

 protected:
  std::vector<std::vector<float>> exchange(std::vector<std::vector<float>> slices) override {
    std::vector<std::uint64_t> sent(size_), received(size_);
    for (int r = 0; r < size_; ++r) sent[r] = slices[r].size();
    collective(MPI_Ialltoall, sent.data(), 1, MPI_UINT64_T, received.data(), 1, MPI_UINT64_T, MPI_COMM_WORLD);
    std::vector<std::vector<float>> all(size_);
    std::vector<MPI_Request> requests;
    constexpr std::size_t most = most_bytes / sizeof(float);
    for (int r = 0; r < size_; ++r) {
      if (r == rank_) {
        all[r] = slices[r];
        continue;
      }
      all[r].resize(received[r]);
      for (std::size_t at = 0; at < received[r]; at += most) {
        MPI_Irecv(all[r].data() + at, std::min(most, received[r] - at), MPI_FLOAT, r, 1, MPI_COMM_WORLD,
                  &requests.emplace_back());
      }
      for (std::size_t at = 0; at < sent[r]; at += most) {
        MPI_Isend(slices[r].data() + at, std::min(most, sent[r] - at), MPI_FLOAT, r, 1, MPI_COMM_WORLD,
                  &requests.emplace_back());
      }
    }
    for (MPI_Request& request : requests) wait_for(request);
    return all;
  }

 private:
  struct Sending {
    std::string bytes;
    std::list<MPI_Request> requests;
  };

  template <typename Call, typename... Args>
  void collective(Call call, Args... args) {
    MPI_Request request;
    check(call(args..., &request), "a collective call");
    wait_for(request);
  }

  void broadcast_from(int root, std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += most_bytes) {
      collective(MPI_Ibcast, bytes.data() + at, static_cast<int>(std::min(most_bytes, bytes.size() - at)),
                 MPI_BYTE, root, MPI_COMM_WORLD);
    }
  }

  std::string receive_part(const MPI_Status& status) {
    int length = 0;
    MPI_Get_count(&status, MPI_BYTE, &length);
    std::string bytes(length, '\0');
    check(MPI_Recv(bytes.data(), length, MPI_BYTE, status.MPI_SOURCE, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
          "MPI_Recv");
    return bytes;
  }

  void forget_sent() {
    std::erase_if(sending_, [](Sending& sending) {
      return std::all_of(sending.requests.begin(), sending.requests.end(), [](MPI_Request& request) {
        int done = 0;
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        return done != 0;
      });
    });
  }

  int rank_ = 0, size_ = 1;
  std::list<Sending> sending_;  // what has not left yet
#if defined(ADWP_HAS_NCCL)
  std::unique_ptr<NcclLink> link_;
  bool asked_ = false;  // whether there is a link
#endif
};

}  // namespace
}  // namespace adwp::parallel

extern "C" adwp::parallel::Group* adwp_open_mpi() { return new adwp::parallel::MpiGroup; }
