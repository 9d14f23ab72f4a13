// The contract that every device fulfils: it computes operators (framework/backend/operators.h).
//
// All tensors of an operator live on the backend's device. Work is ordered as issued (one stream). The same
// inputs give the same bits on the same device; reductions have a fixed order.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "framework/backend/operators.h"
#include "framework/backend/profile.h"
#include "framework/backend/replay.h"
#include "framework/core/arena.h"

namespace adwp {

class Backend : public Memory {
 public:
  virtual std::string name() const = 0;         // "cpu", "cuda", "emulated"
  virtual std::string description() const = 0;  // the hardware, for logs and results
  virtual std::string identity() const {
    return description();
  }                                // as far as the bits of results depend on it
  virtual void synchronize() = 0;  // waits until all issued work is done
  // What the end of a run should say of how the device worked, beyond its description; one entry per line.
  virtual std::vector<std::string> notes() const { return {}; }

  // How values lie between the operators of networks, and gradients by them: f32, or bf16. Weights and their
  // gradients, statistics, sums and logits are f32 either way.
  virtual DType storage() const { return DType::f32; }

  // Whether the device computes what the operator joins as one, for these shapes. What it does not is
  // computed one after the other.
  virtual bool fuses(const ConvForward& op) const { return !op.pending.defined(); }
  virtual bool fuses(const ConvWgrad& op) const { return !op.pending.defined(); }
  virtual bool fuses(const ConvBatchNormForward&) const { return false; }
  virtual bool fuses(const ConvBatchNormBackward&) const { return false; }
  virtual bool fuses(const ConvChain&) const { return false; }
  // A gradient in bf16 by an x in f32, as first layers have it, is made f32 first: on every device.
  bool fuses(const ConvDgrad& op) const { return op.dy.dtype() == op.dx.tensor.dtype(); }

  // Whether the device obeys Gemm::batch_invariant. Other operators on rows have bits by row everywhere.
  virtual bool batch_invariant() const { return false; }

  // Times every operator into `profile` until detached with nullptr.
  void attach(Profile* profile) { profile_ = profile; }
  bool profiled() const { return profile_ != nullptr; }

  // Seconds that the device takes for `work`, by its own clock where it has one; waits for the end.
  virtual double seconds(const std::function<void()>& work);
  // Records what `work` asks of the device instead of doing it. nullptr, and `work` not called: this device
  // does not record. Use Replay, which knows when that is right.
  virtual std::unique_ptr<Graph> capture(const std::function<void()>& work);

  // Checks the operands, takes the workspace that the device asks for from the arena of the main output, and
  // computes, unless there is nothing to compute: no elements to write, or an arena that only counts.
  template <typename Op>
  void compute(const Op& op) {
    Operands operands(Op::name);
    op.check(operands);
    if constexpr (requires { this->fuses(op); }) {
      if (!fuses(op)) return compute_apart(op);
    }
    const std::size_t bytes = workspace(op, operands);
    const std::shared_ptr<Block> memory = bytes > 0 ? operands.arena().allocate(bytes) : nullptr;
    if (operands.arena().counting()) return;
    if (operands.empty()) return operands.zero_targets();
    ProfileScope scope(*this, profile_, op, operands);
    compute(op, memory ? memory->data() : nullptr);
    scope.stop();
  }

 protected:
  // Bytes of workspace that compute() is given, 256-byte aligned (nullptr for 0): products and convolutions
  // ask for their own, reductions over the rows of (rows, channels) for that of their size.
  virtual std::size_t workspace(const Gemm& op) = 0;
  virtual std::size_t workspace(const ConvForward& op) = 0;
  virtual std::size_t workspace(const ConvDgrad& op) = 0;
  virtual std::size_t workspace(const ConvWgrad& op) = 0;
  virtual std::size_t workspace(const ConvBatchNormForward&) { return 0; }
  virtual std::size_t workspace(const ConvBatchNormBackward&) { return 0; }
  virtual std::size_t workspace(const ConvChain&) { return 0; }
  virtual std::size_t reduction_workspace(std::int64_t rows, std::int64_t channels) = 0;

  // Each computes what its operator says; the operands are checked and not empty.
#define ADWP_COMPUTE(Op) virtual void compute(const Op& op, void* workspace) = 0;
  ADWP_OPERATORS(ADWP_COMPUTE)
#undef ADWP_COMPUTE

  // Called where the device fuses them.
  virtual void compute(const ConvBatchNormForward&, void*) {}
  virtual void compute(const ConvBatchNormBackward&, void*) {}
  virtual void compute(const ConvChain&, void*) {}

 private:
  // What the device does not fuse, one after the other.
  void compute_apart(ConvForward op);
  void compute_apart(ConvDgrad op);
  void compute_apart(ConvWgrad op);
  void compute_apart(const ConvBatchNormForward& op);
  void compute_apart(const ConvBatchNormBackward& op);
  void compute_apart(const ConvChain& op);

  template <typename Op>
  std::size_t workspace(const Op& op, const Operands& operands) {
    if (operands.has_reduction()) {
      return reduction_workspace(operands.reduction_rows(), operands.reduction_channels());
    }
    if constexpr (requires { workspace(op); }) return workspace(op);
    return 0;
  }

  Profile* profile_ = nullptr;
};

// Which devices this binary has. A program registers them at its start; nobody else needs to know
// which ones exist.

class Registry {
 public:
  using Factory = std::function<std::unique_ptr<Backend>()>;

  // Why a device cannot be used now (a binary may know CUDA and find no GPU); empty where it can.
  using Obstacle = std::function<std::string()>;

  void add(std::string name, Factory factory, Obstacle obstacle);

  // Opens a device by name; "auto" takes the first usable one in the order they were added, and tells `say`
  // the obstacle of each that it passes over. Throws an Error that gives the device's obstacle, or a usage
  // Error that names the devices there are.
  using Say = std::function<void(const std::string&)>;
  std::unique_ptr<Backend> open(
      const std::string& name, const Say& say = [](const std::string&) {}) const;
  std::vector<std::string> names() const;  // all, in order
  std::string obstacle(const std::string& name) const;

 private:
  struct Entry {
    std::string name;
    Factory factory;
    Obstacle obstacle;
  };
  std::vector<Entry> entries_;
};

}  // namespace adwp
