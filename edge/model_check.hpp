#pragma once

#include "job_process.hpp"
#include "test_vectors.hpp"

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/link/model_job.hpp"

#include <optional>
#include <string>

namespace edgeloop {

/// A model in a file as the measuring process has it: looked at before a process runs it, and
/// judged after it ran.
class ModelUnderTest {
  public:
    /// Reads the files of a job and compares them with what it says.
    /// @throws ConfigError  one is missing, or another one; NetworkError  the vectors are none, or
    /// of another model.
    ModelUnderTest(const ModelJob& job, const ModelFiles& files);

    /// What its process is given, sealed.
    [[nodiscard]] Descriptor bundle() const;
    /// Has the process answer the test vectors, in batches of `batch`, and adds to the record what
    /// came of it ("vectors") and of the promise ("promise"); to the metrics the size of the file.
    /// @throws ConfigError  as JobProcess::ask().
    void judge(JobProcess& process, const MeasurementSettings& settings,
               const std::string& device_class, Metrics& metrics, Json& record) const;

  private:
    [[nodiscard]] std::vector<float> answers(JobProcess& process, int batch) const;

    std::string model_;
    std::optional<TestVectors> vectors_;
};

}  // namespace edgeloop
