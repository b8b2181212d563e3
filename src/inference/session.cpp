#include "edgeloop/inference/session.hpp"

#include "inference/plan.hpp"
#include "inference/team.hpp"

#include "edgeloop/core/error.hpp"

#include <cstring>

namespace edgeloop::inference {

struct Session::Impl {
    Impl(Graph graph, const SessionOptions& options)
        : kernels(kernels_of(options.instructions)),
          plan(make_plan(std::move(graph), options)),
          team(options.threads, options.cpus) {
        for (int i = 0; i < team.size(); ++i)
            scratch.push_back(aligned_memory(plan->scratch_bytes + slack_bytes));
        const Json& metadata = plan->graph.metadata;
        const auto clip = metadata.find("normalisation");
        if (!plan->graph.input_elements.are_real() && clip != metadata.end())
            inverse_scale = static_cast<float>(1 / input_scale(clip->value("deviation", 1.0)));
    }

    void run(float* result, bool moved) {
        is_moved = moved;
        has_run = true;
        team.run([](void* self, int thread) { static_cast<Impl*>(self)->run_share(thread); }, this);
        const Place& last = plan->places.back();
        for (int t = 0; t < last.shape.grid[0]; ++t)
            for (int h = 0; h < last.shape.grid[1]; ++h, result += last.row_elements())
                std::memcpy(result, last.real(t, h),
                            static_cast<std::size_t>(last.row_elements()) * sizeof(float));
    }

    void run_share(int thread) {
        const std::int64_t threads = team.size();
        std::byte* const own = scratch[static_cast<std::size_t>(thread)].get();
        for (const auto& step : plan->steps) {
            const std::int64_t tasks = step->tasks();
            const auto end = static_cast<int>(tasks * (thread + 1) / threads);
            for (auto task = static_cast<int>(tasks * thread / threads); task < end; ++task)
                step->run(task, own, is_moved ? step->fresh : Times{});
            team.meet();
        }
    }

    /// Rows of frames to their place in the clip, from frame `first` on.
    template <class Copy>
    void take(int first, const Copy& copy) const {
        const Place& clip = plan->places.front();
        std::ptrdiff_t from = 0;
        for (int t = first; t < clip.shape.grid[0]; ++t)
            for (int h = 0; h < clip.shape.grid[1]; ++h, from += clip.shape.grid[2])
                copy(clip, t, h, from);
    }

    void take(int first, const float* frames) const {
        const Elements& elements = plan->graph.input_elements;
        take(first, [&](const Place& to, int t, int h, std::ptrdiff_t from) {
            const int count = to.shape.grid[2];
            if (elements.are_real())
                std::memcpy(to.real(t, h), frames + from,
                            static_cast<std::size_t>(count) * sizeof(float));
            else
                kernels.quantise(to.bytes_at(t, h), frames + from, inverse_scale, elements.zero,
                                 activation_range(input_bits).high, count);
        });
    }
    void take(int first, const std::uint8_t* frames) const {
        EDGELOOP_EXPECT(!plan->graph.input_elements.are_real(), "this network takes floats");
        take(first, [&](const Place& to, int t, int h, std::ptrdiff_t from) {
            std::memcpy(to.bytes_at(t, h), frames + from,
                        static_cast<std::size_t>(to.shape.grid[2]));
        });
    }

    template <class Pixel>
    void run_moved(const Pixel* frames, float* result) {
        const Reuse& clip = plan->clip_reuse;
        EDGELOOP_EXPECT(clip.keeps() && has_run, "no clip that moves on");
        keep(plan->places.front(), clip);
        take(clip.high - clip.shift, frames);
        run(result, true);
    }

    const Kernels& kernels;
    std::unique_ptr<Plan> plan;
    Team team;
    std::vector<std::shared_ptr<std::byte[]>> scratch;
    float inverse_scale = 1;
    bool is_moved = false, has_run = false;
};

Session::Session(Graph graph, const SessionOptions& options)
    : impl_(std::make_unique<Impl>(std::move(graph), options)) {}

Session::~Session() = default;

const Graph& Session::graph() const { return impl_->plan->graph; }

std::int64_t Session::outputs() const { return impl_->plan->places.back().shape.elements(); }

void Session::run(const float* clip, float* result) {
    impl_->take(0, clip);
    impl_->run(result, false);
}

void Session::run(const std::uint8_t* clip, float* result) {
    impl_->take(0, clip);
    impl_->run(result, false);
}

void Session::run_moved(const float* frames, float* result) { impl_->run_moved(frames, result); }
void Session::run_moved(const std::uint8_t* frames, float* result) {
    impl_->run_moved(frames, result);
}

Work Session::work() const { return impl_->plan->work; }
std::size_t Session::memory_bytes() const { return impl_->plan->memory_bytes; }
std::size_t Session::weight_bytes() const { return impl_->plan->weight_bytes; }
const std::vector<std::string>& Session::kernels() const { return impl_->plan->kernels; }

}  // namespace edgeloop::inference
