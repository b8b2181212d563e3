// TorchScript files of anybody.
#include "file_runtime.hpp"
#include "model/processor.hpp"
#include "model/torch_error.hpp"
#include "model/traced_network.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <sstream>
#include <stdexcept>
#include <utility>

#include <torch/script.h>
#include <torch/torch.h>

namespace edgeloop {
namespace {

torch::ScalarType torch_type(ElementType type) {
    switch (type) {
        case ElementType::f32:
            return torch::kFloat32;
        case ElementType::f16:
            return torch::kFloat16;
        case ElementType::u8:
            return torch::kUInt8;
        case ElementType::i8:
            return torch::kInt8;
        case ElementType::i32:
            return torch::kInt32;
        case ElementType::i64:
            return torch::kInt64;
    }
    throw LogicError("a type of elements that LibTorch has not");
}

/// LibTorch's errors end in where in the program they were; the sentence before says what.
ConfigError plain(const char* problem, std::string why) {
    constexpr std::size_t longest = 300;
    // Errors of a script say where first; the reason is the line that names the exception.
    if (const auto at = why.rfind("Error: "); at != std::string::npos) {
        const auto before = why.rfind('\n', at);
        why.erase(0, before == std::string::npos ? 0 : before + 1);
    }
    return ConfigError(problem, printable(beginning(why.substr(0, why.find('\n')), longest)));
}

template <class Body>
auto with_plain_errors(const char* problem, const Body& body) {
    try {
        return with_bad_alloc(body);
    } catch (const c10::Error& error) {
        throw plain(problem, error.what_without_backtrace());
    } catch (const Error&) {
        throw;
    } catch (const std::runtime_error& error) {  // of the interpreter
        throw plain(problem, error.what());
    }
}

class ScriptRuntime final : public FileRuntime {
  public:
    ScriptRuntime(const ModelJob& job, std::string bundle, const MeasurementSettings& settings)
        : FileRuntime(job, std::move(bundle)),
          device_(device_of(settings.processor == "cpu" ? Processor::cpu : Processor::cuda)) {
        if (!device_.is_cuda()) run_scripts_unprofiled();
        with_plain_errors("LibTorch cannot load this TorchScript file", [&] {
            std::istringstream stream{std::string(model())};
            module_ = torch::jit::load(stream, device_);
            module_.eval();
        });
    }

    void run() override {
        with_plain_errors("this TorchScript file cannot be run on such inputs", [&] {
            const torch::InferenceMode inference;
            output_ = module_.forward(inputs_);
            wait_for(device_);
        });
    }

    [[nodiscard]] Metrics facts() const override {
        double count = 0;
        for (const torch::Tensor& parameter : module_.parameters())
            count += static_cast<double>(parameter.numel());
        // A frozen file has constants instead.
        return count > 0 ? Metrics{{"parameters", count}} : Metrics{};
    }

  protected:
    [[nodiscard]] std::vector<ModelInput> declared() const override { return {}; }

    void set_inputs(std::vector<Tensor>& inputs) override {
        with_plain_errors("LibTorch cannot make such inputs", [&] {
            inputs_.clear();
            for (Tensor& input : inputs)
                inputs_.emplace_back(
                    torch::from_blob(input.bytes.data(), input.shape, torch_type(input.type))
                        .to(device_));
        });
    }

    [[nodiscard]] std::vector<Tensor> outputs() const override {
        std::vector<torch::Tensor> made;
        collect(output_, made);
        std::vector<Tensor> all;
        for (const torch::Tensor& tensor : made) {
            const torch::Tensor plain = tensor.to(torch::kCPU, torch::kFloat32).contiguous();
            all.push_back({ElementType::f32,
                           plain.sizes().vec(),
                           {static_cast<const char*>(plain.data_ptr()), plain.nbytes()}});
        }
        return all;
    }

  private:
    static void collect(const torch::jit::IValue& value, std::vector<torch::Tensor>& tensors) {
        if (value.isTensor()) {
            tensors.push_back(value.toTensor());
        } else if (value.isTuple()) {
            for (const auto& part : value.toTupleRef().elements()) collect(part, tensors);
        } else if (value.isTensorList()) {
            for (const torch::Tensor& part : value.toTensorVector()) tensors.push_back(part);
        } else {
            throw ConfigError("the model answers something that is no tensor");
        }
    }

    torch::Device device_;
    torch::jit::Module module_;
    std::vector<torch::jit::IValue> inputs_;
    torch::jit::IValue output_;
};

const bool script_added =
    add_file_runtimes({"torchscript"},
                      [](const ModelJob& job, std::string bundle,
                         const MeasurementSettings& settings) -> std::unique_ptr<Runtime> {
                          return std::make_unique<ScriptRuntime>(job, std::move(bundle), settings);
                      });

}  // namespace
}  // namespace edgeloop
