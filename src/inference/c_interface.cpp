#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/inference/edgeloop_inference.h"
#include "edgeloop/inference/model_file.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <cstring>
#include <new>

struct edgeloop_model {
    edgeloop_model(edgeloop::inference::Graph graph,
                   const edgeloop::inference::SessionOptions& options)
        : network(std::move(graph), options) {}
    edgeloop::inference::CropModel network;
};

namespace {

void tell(const char* what, char* error, std::size_t size) {
    if (size == 0) return;
    const std::size_t length = std::min(std::strlen(what), size - 1);
    std::memcpy(error, what, length);
    error[length] = '\0';
}

std::unique_ptr<edgeloop_model> load(const char* path, int threads, const int* cpus,
                                     const char* instructions) {
    using namespace edgeloop;
    if (path == nullptr || threads < 1 || threads > 1024)
        throw ConfigError("a model needs a path and from 1 to 1024 threads");
    inference::SessionOptions options;
    options.threads = threads;
    if (cpus != nullptr) options.cpus.assign(cpus, cpus + threads);
    if (instructions != nullptr) {
        options.instructions = inference::instructions_from(instructions);
        if (!inference::has(options.instructions))
            throw ConfigError("this processor has no " + std::string(instructions));
    }
    return std::make_unique<edgeloop_model>(inference::read_model(path), options);
}

}  // namespace

extern "C" {

int edgeloop_model_load(const char* path, int threads, const int* cpus, const char* instructions,
                        edgeloop_model** model, char* error, size_t error_size) {
    *model = nullptr;
    tell("", error, error_size);
    try {
        *model = load(path, threads, cpus, instructions).release();
        return 0;
    } catch (const edgeloop::Error& problem) {
        tell(problem.what(), error, error_size);
        return static_cast<int>(problem.exit_code());
    } catch (const std::bad_alloc&) {
        tell("there is not enough memory for the model", error, error_size);
        return static_cast<int>(edgeloop::ExitCode::environment);
    } catch (const std::exception& problem) {
        tell(problem.what(), error, error_size);
        return static_cast<int>(edgeloop::ExitCode::bug);
    }
}

void edgeloop_model_free(edgeloop_model* model) { delete model; }

int edgeloop_model_frames(const edgeloop_model* model) { return model->network.frames(); }
int edgeloop_model_side(const edgeloop_model* model) { return model->network.side(); }
int edgeloop_model_crop_side(const edgeloop_model*) { return edgeloop::crop_side; }
int edgeloop_model_targets(const edgeloop_model* model) {
    return static_cast<int>(model->network.targets().size());
}
const char* edgeloop_model_target_name(const edgeloop_model* model, int index) {
    return model->network.targets().at(static_cast<std::size_t>(index)).name.c_str();
}
const char* edgeloop_model_target_unit(const edgeloop_model* model, int index) {
    return model->network.targets().at(static_cast<std::size_t>(index)).unit.c_str();
}

void edgeloop_model_run(edgeloop_model* model, const uint8_t* crops, float* values) {
    model->network.run(crops, values);
}
void edgeloop_model_run_clip(edgeloop_model* model, const float* clip, float* values) {
    model->network.run_clip(clip, values);
}

}  // extern "C"
