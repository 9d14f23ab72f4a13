// The two libraries as one: what the backend opens for --engine vendor and auto.
#include "cuda/vendor/convolution.h"
#include "cuda/vendor/gemm.h"

namespace adwp::cuda {
namespace vendor {
namespace {

class Products : public VendorProducts {
 public:
  Products(Stream stream, Precision precision) : convolution_(stream, precision), gemm_(stream, precision) {}

  std::string description() const override { return library_versions(); }
  // What cuBLAS is documented to want on its largest devices.
  std::size_t workspace_bytes() const override { return std::size_t{32} << 20; }

  bool gemm(const kernels::GemmShape& shape, const float* a, const float* b, const float* bias,
            Activation act, float* c, bool accumulate, void* workspace) override {
    return gemm_.run(shape, a, b, bias, act, c, accumulate, workspace, workspace_bytes());
  }
  bool convolution(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w, const float* first,
                   const float* second, float* result, bool accumulate, void* workspace) override {
    return convolution_.run(pass, conv, x, w, first, second, result, accumulate, workspace,
                            workspace_bytes());
  }

 private:
  Convolution convolution_;
  Gemm gemm_;
};

}  // namespace
}  // namespace vendor

std::unique_ptr<VendorProducts> open_vendor(const Device& device, Precision precision) {
  return std::make_unique<vendor::Products>(device.stream(), precision);
}

}  // namespace adwp::cuda
