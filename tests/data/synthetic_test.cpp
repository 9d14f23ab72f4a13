// The synthetic problem is worth searching on: no linear classifier solves it, a small network does.
#include <cmath>

#include "data/data_set.h"
#include "data/loader.h"
#include "data/test_split.h"
#include "framework/ops/ops.h"
#include "framework/optim/optimizer.h"
#include "nas/training/network_trainer.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

class Synthetic : public DeviceTest {
 protected:
  void load(const std::string& text) {
    const data::DataSpec spec = data::parse_data_spec(text);
    data_ = data::load_training_data(spec, 1, 0.05);
    test_ = data::load_test_split(spec, data_).images;
  }

  data::TrainingData data_;
  data::ImageSet test_;
};

TEST_P(Synthetic, ALinearClassifierStaysFarBelow60Percent) {
  ADWP_SKIP_WHERE_SLOW();
  load("synthetic:4000");
  const std::int64_t batch = 50, epochs = executes_ptx() ? 2 : 30, inputs = 32 * 32 * 3;
  nn::ParameterStore store;
  const int w = store.add("w", Shape{10, inputs}, nn::Decay::yes, nn::Initial::constant(0));
  const int b = store.add("b", Shape{10}, nn::Decay::no, nn::Initial::constant(0));
  store.build(arena(), 1);
  optim::AdamW optimizer(backend(), arena(), store, {.weight_decay = 1e-1f});
  const data::DeviceImages train = data::DeviceImages::upload(arena(), data_.train);
  const data::DeviceImages held = data::DeviceImages::upload(arena(), test_);
  data::Loader loader(backend(), arena(), train, batch, data_.norm, {}, 1);

  auto logits_of = [&](Tape& tape, data::Loader& from, std::int64_t i, const Tensor& y) {
    const Tensor x(arena(), Shape{from.batch_size(i), 32, 32, 3});
    from.load(i, x, y);
    const Variable flat = Variable::constant(x).view(0, Shape{from.batch_size(i), inputs});
    return ops::linear(tape, flat, store[w], store[b]);
  };
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    loader.begin_epoch(epoch);
    for (std::int64_t i = 0; i < loader.batches(); ++i) {
      const Arena::Frame frame(arena());
      Tape tape(backend(), arena(), Tape::Recording::on);
      store.zero_gradients();
      const Tensor y(arena(), Shape{batch}, DType::i32);
      tape.backward(ops::cross_entropy(tape, logits_of(tape, loader, i, y), y, 0));
      optimizer.step(
          optim::cosine_schedule(1e-3f, epoch * loader.batches() + i, 10, epochs * loader.batches()));
    }
  }
  const Tensor score(arena(), Shape{2});
  score.zero();
  data::Loader all = data::Loader::sequential(backend(), arena(), held, 200, data_.norm);
  for (std::int64_t i = 0; i < all.batches(); ++i) {
    const Arena::Frame frame(arena());
    Tape tape(backend(), arena(), Tape::Recording::off);
    const Tensor y(arena(), Shape{all.batch_size(i)}, DType::i32);
    backend().compute(CountHits{logits_of(tape, all, i, y).value(), y, score});
  }
  const double accuracy = score.to_host<float>()[1] / static_cast<double>(test_.count());
  RecordProperty("accuracy", std::to_string(accuracy));
  EXPECT_LT(accuracy, 0.55);
  EXPECT_GT(accuracy, 0.12) << "does the classifier learn at all?";
}

TEST_P(Synthetic, ASmallNetworkPasses90Percent) {
  ADWP_SKIP_WHERE_SLOW();
  const bool small = executes_ptx();
  load(small ? "synthetic:1000?size=16" : "synthetic:4000");
  nas::Architecture network;
  network.stem_width = 16;
  network.stem_stride = 2;
  const nas::Block dense{nas::Operation::from_text("dense3")};
  network.stages = {{16, 1, {dense}}, {32, 2, {dense}}, {64, 2, {dense}}};
  const nas::NetworkPlan plan = nas::plan_network(network, {small ? 16 : 32, 3, 10});
  const std::int64_t epochs = small ? 2 : 10;
  const data::DeviceImages train = data::DeviceImages::upload(arena(), data_.train);
  const data::DeviceImages held = data::DeviceImages::upload(arena(), test_);
  nas::NetworkTrainer trainer(backend(), arena(), plan, train, data_.norm,
                              {.epochs = epochs, .batch = 32, .seed = 1});
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) trainer.run_epoch(epoch);
  const double accuracy = trainer.evaluate(held, 200).accuracy;
  RecordProperty("accuracy", std::to_string(accuracy));
  EXPECT_GT(accuracy, small ? 0.2 : 0.9) << plan.parameters() << " parameters";
}

ADWP_ON_EVERY_DEVICE(Synthetic);

}  // namespace
}  // namespace adwp::test
