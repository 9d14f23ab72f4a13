// The two libraries as one: what the backend opens for --engine vendor and auto. GEMM is cuBLAS's.
//
// cuBLAS lays matrices out by columns. What is C by rows is C' by columns, and C' = op(B)' op(A)': the
// operands change places, and each is transposed to cuBLAS exactly when it is to us.
#include "cuda/kernels/product.h"
#include "cuda/vendor/convolution.h"

namespace adwp::cuda {
namespace vendor {
namespace {

// Products in f32, in TF32, or with operands rounded to bf16 on their way (CUBLAS_COMPUTE_32F_FAST_16BF);
// bias and activation by a kernel of ours behind it. One stream and a workspace of one size make the same
// shape give the same bits.
class Products : public VendorProducts {
 public:
  Products(void* stream, Precision precision)
      : convolution_(stream, precision, workspace_size),
        stream_(stream),
        compute_(precision == Precision::bf16   ? CUBLAS_COMPUTE_32F_FAST_16BF
                 : precision == Precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                : CUBLAS_COMPUTE_32F) {
    cublas_.check(cublas_.cublasCreate_v2(&handle_), "opening");
    cublas_.check(cublas_.cublasSetStream_v2(handle_, static_cast<cudaStream_t>(stream)),
                  "setting the stream");
  }
  ~Products() override { cublas_.cublasDestroy_v2(handle_); }
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  std::string description() const override { return library_versions(); }
  std::size_t workspace_bytes() const override { return workspace_size; }

  bool compute(const Gemm& op, void* workspace) override;
  bool compute(const ConvForward& op, void* workspace) override {
    return convolution_.compute(op, workspace);
  }
  bool compute(const ConvDgrad& op, void* workspace) override { return convolution_.compute(op, workspace); }
  bool compute(const ConvWgrad& op, void* workspace) override { return convolution_.compute(op, workspace); }

 private:
  // What cuBLAS is documented to want on its largest devices.
  static constexpr std::size_t workspace_size = std::size_t{32} << 20;

  Convolution convolution_;
  Cublas cublas_;
  void* stream_;
  cublasComputeType_t compute_;
  cublasHandle_t handle_ = nullptr;
};

bool Products::compute(const Gemm& op, void* workspace) {
  const std::int64_t m = op.m(), n = op.n(), k = op.k();
  if (k == 0) return false;  // no leading dimension that cuBLAS would take
  const auto operation = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const std::int64_t pitch_b = op.transpose_b ? k : n, pitch_a = op.transpose_a ? m : k;
  const float one = 1, keep = op.c.adds() ? 1 : 0;
  cublas_.check(cublas_.cublasSetWorkspace_v2(handle_, workspace, workspace_size), "setting the workspace");
  cublas_.check(
      cublas_.cublasGemmEx_64(handle_, operation(op.transpose_b), operation(op.transpose_a), n, m, k, &one,
                              floats(op.b), CUDA_R_32F, pitch_b, floats(op.a), CUDA_R_32F, pitch_a, &keep,
                              floats(op.c), CUDA_R_32F, n, compute_, CUBLAS_GEMM_DEFAULT),
      "GEMM");
  if (op.bias.defined() || op.act != Activation::none) {
    bias_activation(stream_, op.bias.defined() ? floats(op.bias) : nullptr, op.act, floats(op.c), m, n);
  }
  return true;
}

}  // namespace
}  // namespace vendor

std::unique_ptr<VendorProducts> open_vendor(const Device& device, Precision precision) {
  return std::make_unique<vendor::Products>(device.stream(), precision);
}

}  // namespace adwp::cuda
