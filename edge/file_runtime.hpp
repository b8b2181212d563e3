#pragma once

#include "model_bundle.hpp"
#include "runtime.hpp"

#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/link/model_job.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// A model that somebody brought in a file. What it takes is what its test vectors have, or what
/// the job says, or else what the file says itself; the batch size is the first axis.
class FileRuntime : public Runtime {
  public:
    /// A tensor with its values.
    struct Tensor {
        ElementType type = ElementType::f32;
        std::vector<std::int64_t> shape;
        std::string bytes;
    };

    /// @param bundle  bytes of encode_bundle().
    FileRuntime(ModelJob job, std::string bundle);

    void prepare(int batch) final;
    [[nodiscard]] std::vector<float> answers(std::size_t first) final;

  protected:
    [[nodiscard]] std::string_view model() const { return bundle_.model; }
    /// Inputs that the test vectors have, or the job says; empty: neither does.
    [[nodiscard]] std::vector<ModelInput> given() const;

    /// Inputs that the file says, a free axis as 0; empty: it says nothing.
    [[nodiscard]] virtual std::vector<ModelInput> declared() const = 0;
    /// What the next runs see. @param inputs  stay where they are until the next call.
    virtual void set_inputs(std::vector<Tensor>& inputs) = 0;
    /// Of the last run.
    [[nodiscard]] virtual std::vector<Tensor> outputs() const = 0;

  private:
    [[nodiscard]] std::vector<ModelInput> wanted(int batch) const;

    ModelJob job_;
    std::string bytes_;
    ModelBundle bundle_;
    std::vector<Tensor> inputs_;
    int batch_ = 0;
};

/// Inputs of one batch size: `given`, by a job or by vectors, goes before `declared`, and must fit
/// it. @throws ConfigError  they do not fit each other or the batch size, or leave an axis open.
[[nodiscard]] std::vector<ModelInput> inputs_for(int batch, const std::vector<ModelInput>& given,
                                                 const std::vector<ModelInput>& declared);

/// Random values that most models take: floats from 0 to 1, bytes of any value, other whole numbers
/// 0 or 1, which are an index of anything that has two.
[[nodiscard]] FileRuntime::Tensor made_up(const ModelInput& input, std::size_t number);

using FileRuntimeFactory = std::function<std::unique_ptr<Runtime>(
    const ModelJob& job, std::string bundle, const MeasurementSettings& settings)>;

/// Runtimes of models in files, added as those of designs are (runtime.hpp). @return true.
bool add_file_runtimes(const std::vector<std::string>& names, const FileRuntimeFactory& make);
/// @throws ConfigError  this build has none of that name.
[[nodiscard]] std::unique_ptr<Runtime> make_file_runtime(const ModelJob& job,
                                                         const MeasurementSettings& settings);

}  // namespace edgeloop
