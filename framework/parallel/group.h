// The processes ("ranks") that work on one run: one process alone, or those that `mpirun` or SLURM started.
//
// Work is cut into jobs and parts with numbers; ranks exchange bytes and sum tensors in the order of numbers,
// so that a result is the same, to the bit, on any number of ranks. Only this folder knows MPI.
//
// Calls that all ranks must make together, in the same order, are marked "collective". A rank that waits
// sleeps: ranks that share a core with one that computes do not slow it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/core/tensor.h"

namespace adwp::parallel {

struct Message {
  int from = 0;
  std::string bytes;
};

class Group {
 public:
  virtual ~Group() = default;

  virtual int rank() const { return 0; }  // 0 <= rank() < size()
  virtual int size() const { return 1; }
  bool alone() const { return size() == 1; }
  virtual std::string host() const;  // this rank's machine

  // Collective: what every rank gave, by rank, on every rank.
  virtual std::vector<std::string> gather(const std::string& mine) { return {mine}; }
  // Collective: rank 0's bytes, on every rank.
  virtual std::string broadcast(const std::string& bytes) { return bytes; }
  void broadcast(const Tensor& tensor);  // f32; others are overwritten
  void barrier() { gather(""); }

  // Collective: the sum of all parts, on every rank. Each rank gives as many parts of one length, those with
  // the numbers rank() * parts.size() and following; they are added one by one in the order of numbers: the
  // bits do not depend on how many ranks hold them.
  std::vector<float> sum(const std::vector<std::vector<float>>& parts);

  // Collective: whether all ranks have a link between their devices, so that gather() of tensors works.
  virtual bool links(Memory&) { return false; }
  // Collective: each rank's `mine` (f32), one after another in `all` on every rank, in the order of ranks;
  // from device to device. Queued like an operator.
  virtual void gather(const Tensor& mine, const Tensor& all) { all.copy_from(mine); }

  // Hands bytes to one other rank; returns at once. Messages between two ranks arrive in their order.
  virtual void send(int to, std::string bytes);
  // The next message of any rank, or nothing if there is none yet.
  virtual std::optional<Message> receive() { return std::nullopt; }
  // The next message; sleeps until there is one. `idle` is called now and then while there is none.
  Message wait(const std::function<void()>& idle);

  // Ends all ranks at once with this exit code.
  [[noreturn]] virtual void abort(int code);

 protected:
  // Collective: each rank sends slices[r] to rank r; returns what each rank sent to this one.
  virtual std::vector<std::vector<float>> exchange(std::vector<std::vector<float>> slices) { return slices; }
};

// Joins the ranks that `mpirun` or SLURM started; one process alone if none did, which needs no MPI. Throws a
// usage Error when several were started and this program was built without MPI.
std::unique_ptr<Group> open_group();

// How many ranks a launcher started, as the environment says: 1 without a launcher.
int ranks_launched();

}  // namespace adwp::parallel
