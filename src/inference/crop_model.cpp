#include "edgeloop/inference/crop_model.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/object_reader.hpp"
#include "edgeloop/preprocessing/frames.hpp"
#include "edgeloop/preprocessing/resize.hpp"

namespace edgeloop::inference {

Normalisation normalisation_of(const Graph& graph) {
    const edgeloop::Place place("metadata of the model");
    const ObjectReader all(graph.metadata, place,
                           {"normalisation", "spec", "targets", "program", "weights"});
    const ObjectReader reader(all.member("normalisation"), all.place("normalisation"),
                              {"mean", "deviation"});
    return {reader.number("mean", {0, 1}), reader.number("deviation", {1e-3, 10})};
}

std::vector<OutputTarget> targets_of(const Graph& graph) {
    const std::int64_t outputs = kinds_of(graph).back().shape.elements();
    const Json& metadata = graph.metadata;
    std::vector<OutputTarget> targets;
    const auto list = metadata.find("targets");
    if (list == metadata.end() || !list->is_array() ||
        list->size() != static_cast<std::size_t>(outputs))
        throw ConfigError("metadata of the model: not one target for each output");
    for (std::size_t i = 0; i < list->size(); ++i) {
        const ObjectReader reader((*list)[i],
                                  edgeloop::Place("metadata of the model") / "targets" / i,
                                  {"name", "unit", "scale"});
        targets.push_back(
            {reader.text("name"), reader.text("unit"), reader.number("scale", {-1e30, 1e30})});
    }
    return targets;
}

struct CropModel::Impl {
    Impl(Graph graph, const SessionOptions& options)
        : normalisation(normalisation_of(graph)),
          targets(targets_of(graph)),
          session(std::move(graph), options),
          frames(session.graph().input.grid[0]),
          side(session.graph().input.grid[2]),
          stride(options.stride) {
        if (session.graph().input.grid[1] != side)
            throw ConfigError("the model's clips are not square");
        is_direct = !session.graph().input_elements.are_real() && side == crop_side;
        if (is_direct) return;
        resizer = std::make_unique<Resizer>(crop_side, crop_side, side, normalisation);
        clip.resize(static_cast<std::size_t>(session.graph().input.elements()));
    }

    [[nodiscard]] const float* resized(const std::uint8_t* crops, int count) {
        const std::size_t pixels = std::size_t(side) * std::size_t(side);
        for (std::size_t i = 0; i < std::size_t(count); ++i)
            resizer->run(crops + i * crop_pixels, clip.data() + i * pixels);
        return clip.data();
    }

    void scale(float* physical) const {
        for (std::size_t i = 0; i < targets.size(); ++i)
            physical[i] = static_cast<float>(double(physical[i]) * targets[i].scale);
    }

    Normalisation normalisation;
    std::vector<OutputTarget> targets;
    Session session;
    int frames, side, stride;
    bool is_direct = false;  ///< the crops are the clip
    std::unique_ptr<Resizer> resizer;
    std::vector<float> clip;
};

CropModel::CropModel(Graph graph, const SessionOptions& options)
    : impl_(std::make_unique<Impl>(std::move(graph), options)) {}

CropModel::~CropModel() = default;

int CropModel::frames() const { return impl_->frames; }
int CropModel::side() const { return impl_->side; }
const std::vector<OutputTarget>& CropModel::targets() const { return impl_->targets; }
const Session& CropModel::session() const { return impl_->session; }

void CropModel::run(const std::uint8_t* crops, float* physical) {
    Impl& impl = *impl_;
    if (impl.is_direct)
        impl.session.run(crops, physical);
    else
        impl.session.run(impl.resized(crops, impl.frames), physical);
    impl.scale(physical);
}

void CropModel::run_moved(const std::uint8_t* crops, float* physical) {
    Impl& impl = *impl_;
    if (impl.is_direct)
        impl.session.run_moved(crops, physical);
    else
        impl.session.run_moved(impl.resized(crops, impl.stride), physical);
    impl.scale(physical);
}

void CropModel::run_clip(const float* clip, float* physical) {
    impl_->session.run(clip, physical);
    impl_->scale(physical);
}

}  // namespace edgeloop::inference
