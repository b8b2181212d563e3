// The kernels, for the instruction set of the file that includes this. That file has defined, in an
// unnamed namespace: `lanes`, the vectors Real, Int (32 bits) and Word (64 bits, half as many),
// has_many_registers, Requantiser, IntegerTile, ShortTile (void: none), and the operations that are
// called here.

/// Sums of products of float.
struct RealTile {
    using In = float;
    using Weight = float;
    using Vector = Real;
    using Sum = Real;
    static constexpr int group = 1, vector_step = lanes, max_vectors = has_many_registers ? 4 : 2;
    static constexpr int positions(int vectors) {
        return vectors == 1 ? 12 : vectors == 2 && has_many_registers ? 12 : 6;
    }
    EDGELOOP_INLINE static Vector load(const float* w) { return load_vector<Real>(w); }
    // Less zero, not plus: that would make 0 of -0, which takes an instruction.
    EDGELOOP_INLINE static Real broadcast(const float* x) { return *x - Real{}; }
    EDGELOOP_INLINE static Real dot(Real sum, Real w, Real x) { return sum + w * x; }
};

#include "inference/kernels/bits.inl"

EDGELOOP_INLINE Int integers_of(Int sum) { return sum; }
EDGELOOP_INLINE Int integers_of(const BitsTile::Sum& sum) { return narrow(sum.low, sum.high); }

/// What makes results of one vector of channels of float sums.
struct RealFinish {
    EDGELOOP_INLINE RealFinish(const RowArguments& row, int first)
        : row_(row),
          channel_(first),
          count_(least(row.channels - first, lanes)),
          bias_(load_vector<Real>(row.real_bias + first)) {}

    EDGELOOP_INLINE void operator()(Real sum, int position) const {
        Real y = sum + bias_;
        if (row_.is_relu) y = y > Real{} ? y : Real{};
        store(static_cast<float*>(row_.output) + position * row_.output_step + channel_, y, count_);
    }

  private:
    const RowArguments& row_;
    int channel_, count_;
    Real bias_;
};

/// The same of integer sums. What depends on channels alone is worked out once.
struct IntegerFinish {
    EDGELOOP_INLINE IntegerFinish(const RowArguments& row, int first)
        : row_(row),
          channel_(first),
          count_(least(row.channels - first, lanes)),
          bias_(load_vector<Int>(row.bias + first)),
          multiplier_(load_vector<Int>(row.multipliers + first)),
          shift_(load_vector<Int>(row.shifts + first)),
          most_(load_vector<Int>(row.caps + first)),
          requantiser_(multiplier_, shift_) {}

    EDGELOOP_INLINE void operator()(Int sum, int position) const {
        const std::ptrdiff_t place = position * row_.output_step + channel_;
        Int total = sum;
        if (row_.window_factor != 0)
            total = sum * row_.factor + row_.window_factor * row_.window_sums[position];
        total += bias_;
        if (row_.high == 0) return finish_real(total, static_cast<float*>(row_.output) + place);
        Int q;
        if (row_.residual == nullptr) {
            // Between these bounds the sum in 64 bits is not negative and its result fits 32.
            total = total > Int{} ? total : Int{};
            total = total < most_ ? total : most_;
            q = requantiser_(total);
            const Int high = Int{} + row_.high;
            q = q < high ? q : high;
        } else {
            q = requantised(total, multiplier_, shift_,
                            load_bytes(row_.residual + position * row_.residual_step + channel_),
                            load_vector<Int>(row_.residual_multipliers + channel_), row_.high);
        }
        store_bytes(static_cast<std::uint8_t*>(row_.output) + place, q, count_);
    }

  private:
    EDGELOOP_INLINE void finish_real(Int total, float* out) const {
        for (int i = 0; i < count_; ++i) {
            const float y = output_value(total[i], row_.scales[channel_ + i]);
            out[i] = row_.is_relu && !(y > 0) ? 0 : y;
        }
    }

    const RowArguments& row_;
    int channel_, count_;
    Int bias_, multiplier_, shift_, most_;
    Requantiser requantiser_;
};

template <class Tile, int positions, int vectors>
EDGELOOP_INLINE void add_products(const RowArguments& row, const typename Tile::In* input,
                                  const typename Tile::Weight* weights,
                                  typename Tile::Sum (&sums)[positions][vectors]) {
    // Three positions share an address register: the step and twice the step are part of addresses.
    constexpr int bases = (positions + 2) / 3;
    const std::ptrdiff_t step = row.input_step;
    for (int run = 0; run < row.run_count; ++run) {
        const typename Tile::In* x[bases];
        for (int i = 0; i < bases; ++i) x[i] = input + row.runs[run] + 3 * i * step;
        for (int group = 0; group < row.groups; ++group) {
            typename Tile::Vector w[vectors];
            EDGELOOP_UNROLL for (int n = 0; n < vectors; ++n) w[n] =
                Tile::load(weights + n * row.vector_weights);
            EDGELOOP_UNROLL for (int p = 0; p < positions; ++p) {
                const auto value = Tile::broadcast(x[p / 3] + p % 3 * step);
                EDGELOOP_UNROLL for (int n = 0; n < vectors; ++n) sums[p][n] =
                    Tile::dot(sums[p][n], w[n], value);
            }
            EDGELOOP_UNROLL for (int i = 0; i < bases; ++i) x[i] += Tile::group;
            weights += Tile::vector_step;
        }
    }
}

#include "inference/kernels/short_sums.inl"

template <class Tile, int positions, int vectors>
void make_tile(const RowArguments& row, int position, int vector) {
    typename Tile::Sum sums[positions][vectors] = {};
    const auto* const input =
        static_cast<const typename Tile::In*>(row.input) + position * row.input_step;
    const auto* const weights =
        static_cast<const typename Tile::Weight*>(row.weights) + vector * row.vector_weights;
    if constexpr (std::is_same_v<Tile, BitsTile>)
        add_planes(row, input, weights, sums);
    else if constexpr (std::is_same_v<Tile, ShortTile>)
        add_short_products<Tile>(row, input, weights, sums);
    else
        add_products<Tile>(row, input, weights, sums);
    using Finish = std::conditional_t<std::is_same_v<Tile, RealTile>, RealFinish, IntegerFinish>;
    EDGELOOP_UNROLL for (int n = 0; n < vectors; ++n) {
        const Finish finish(row, (vector + n) * lanes);
        EDGELOOP_UNROLL for (int p = 0; p < positions; ++p) {
            if constexpr (std::is_same_v<Tile, RealTile>)
                finish(sums[p][n], position + p);
            else
                finish(integers_of(sums[p][n]), position + p);
        }
    }
}

/// Covers a row with tiles of so many positions; the last one may overlap its neighbour, whose
/// results it repeats.
template <int positions, class Make>
EDGELOOP_INLINE void cover(int position, int count, const Make& make) {
    for (; position + positions <= count; position += positions)
        make(std::integral_constant<int, positions>{}, position);
    if (position == count) return;
    if constexpr (positions > 1) {
        if (count >= positions && count - position > positions / 2)
            make(std::integral_constant<int, positions>{}, count - positions);
        else
            cover<(positions > 3 ? positions / 2 : 1)>(position, count, make);
    }
}

template <class Tile, int vectors>
void make_vectors(const RowArguments& row, int vector) {
    cover<Tile::positions(vectors)>(0, row.positions, [&](auto positions, int position) {
        make_tile<Tile, decltype(positions)::value, vectors>(row, position, vector);
    });
}

template <class Tile>
void make_row(const RowArguments& row) {
    const int vectors = (row.channels + lanes - 1) / lanes;
    int vector = 0;
    if constexpr (Tile::max_vectors >= 4)
        for (; vector + 4 <= vectors; vector += 4) make_vectors<Tile, 4>(row, vector);
    if constexpr (Tile::max_vectors >= 2)
        for (; vector + 2 <= vectors; vector += 2) make_vectors<Tile, 2>(row, vector);
    for (; vector < vectors; ++vector) make_vectors<Tile, 1>(row, vector);
}

EDGELOOP_INLINE Real channels_of(const float* x) { return load_vector<Real>(x); }
EDGELOOP_INLINE Int channels_of(const std::uint8_t* x) { return load_bytes(x); }
EDGELOOP_INLINE Real weigh(Real sum, Real w, Real x) { return sum + w * x; }
EDGELOOP_INLINE Int weigh(Int sum, Int w, Int x) { return sum + product_16(w, x); }

/// One vector of channels, each by itself.
template <class Vector, class In, class Weight, int positions>
void make_depthwise_tile(const RowArguments& row, int position, int vector) {
    Vector sums[positions] = {};
    const In* const input =
        static_cast<const In*>(row.input) + position * row.input_step + vector * lanes;
    const Weight* weights = static_cast<const Weight*>(row.weights) + vector * row.vector_weights;
    for (int tap = 0; tap < row.run_count; ++tap, weights += lanes) {
        const Vector w = load_vector<Vector>(weights);
        const In* const x = input + row.runs[tap];
        EDGELOOP_UNROLL for (int p = 0; p < positions; ++p) sums[p] =
            weigh(sums[p], w, channels_of(x + p * row.input_step));
    }
    const std::conditional_t<std::is_same_v<In, float>, RealFinish, IntegerFinish> finish(
        row, vector * lanes);
    EDGELOOP_UNROLL for (int p = 0; p < positions; ++p) finish(sums[p], position + p);
}

template <class Vector, class In, class Weight>
void make_depthwise_row(const RowArguments& row) {
    const int vectors = (row.channels + lanes - 1) / lanes;
    for (int vector = 0; vector < vectors; ++vector)
        cover<has_many_registers ? 12 : 6>(0, row.positions, [&](auto positions, int position) {
            make_depthwise_tile<Vector, In, Weight, decltype(positions)::value>(row, position,
                                                                                vector);
        });
}

/// exp(x) to 2 units in the last place; 0 and infinity beyond float's range are finite here.
/// Source of the polynomial: Taylor's series of 2^f, |f| <= 1/2, to the seventh power.
EDGELOOP_INLINE float exponential(float x) {
    constexpr float log2_e = 1.44269504F, shifter = 12582912.0F;  // 1.5 * 2^23: rounds by addition
    float t = x * log2_e;
    t = t > -126.0F ? t : -126.0F;
    t = t < 127.0F ? t : 127.0F;
    const float whole = (t + shifter) - shifter;
    const float f = t - whole;
    float y = 1.525273380e-5F;
    y = y * f + 1.540353039e-4F;
    y = y * f + 1.333355814e-3F;
    y = y * f + 9.618129108e-3F;
    y = y * f + 5.550410866e-2F;
    y = y * f + 2.402265070e-1F;
    y = y * f + 6.931471806e-1F;
    y = y * f + 1.0F;
    const std::int32_t power = (static_cast<std::int32_t>(whole) + 127) << 23;
    float scale;
    std::memcpy(&scale, &power, sizeof scale);
    return y * scale;
}

void affine(float* __restrict out, const float* __restrict x, const float* __restrict scale,
            const float* __restrict shift, int count, Activation activation) {
    switch (activation) {
        case Activation::none:
            for (int i = 0; i < count; ++i) out[i] = x[i] * scale[i] + shift[i];
            break;
        case Activation::relu:
            for (int i = 0; i < count; ++i) {
                const float y = x[i] * scale[i] + shift[i];
                out[i] = y > 0 ? y : 0;
            }
            break;
        case Activation::silu:
            for (int i = 0; i < count; ++i) {
                const float y = x[i] * scale[i] + shift[i];
                out[i] = y / (1 + exponential(-y));
            }
            break;
        case Activation::sigmoid:
            for (int i = 0; i < count; ++i)
                out[i] = 1 / (1 + exponential(-(x[i] * scale[i] + shift[i])));
            break;
    }
}

void moments(const float* __restrict x, const float* __restrict origin, float* __restrict sums,
             float* __restrict squares, int count) {
    for (int i = 0; i < count; ++i) {
        const float d = x[i] - origin[i];
        sums[i] += d;
        squares[i] += d * d;
    }
}

void add(float* out, const float* a, const float* b, int count, bool is_relu) {
    for (int i = 0; i < count; ++i) {
        const float sum = a[i] + b[i];
        out[i] = is_relu && !(sum > 0) ? 0 : sum;
    }
}
void multiply(float* out, const float* a, const float* b, int count) {
    for (int i = 0; i < count; ++i) out[i] = a[i] * b[i];
}

template <class Value>
void take_larger(Value* __restrict out, const Value* __restrict x, int count) {
    for (int i = 0; i < count; ++i) out[i] = out[i] > x[i] ? out[i] : x[i];
}

template <class Value>
void take_window(Value* __restrict out, const Value* __restrict x, int positions, int window,
                 int channels) {
    constexpr int wide = 16;
    for (int p = 0; p < positions; ++p, out += channels)
        for (int c = 0; c < channels; c += wide) {
            const Value* from = x + std::ptrdiff_t{p} * window * channels + c;
            Value most[wide];
            std::memcpy(most, from, sizeof most);
            for (int k = 1; k < window; ++k) {
                from += channels;
                for (int i = 0; i < wide; ++i) most[i] = most[i] > from[i] ? most[i] : from[i];
            }
            std::memcpy(out + c, most, sizeof most);
        }
}

template <class Total, class Value>
void take_sum(Total* __restrict sums, const Value* __restrict x, int count) {
    for (int i = 0; i < count; ++i) sums[i] += x[i];
}

void widen(std::int16_t* __restrict out, const std::uint8_t* __restrict x, int count) {
    for (int i = 0; i < count; ++i) out[i] = x[i];
}

void quantise(std::uint8_t* __restrict out, const float* __restrict x, float factor, int zero,
              int high, int count) {
    constexpr float shifter = 12582912.0F;
    const auto least = static_cast<float>(-zero), most = static_cast<float>(high - zero);
    for (int i = 0; i < count; ++i) {
        float y = x[i] * factor;
        y = y > least ? y : least;
        y = y < most ? y : most;
        const float rounded = (y + shifter) - shifter;
        out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(rounded) + zero);
    }
}

void dequantise(float* __restrict out, const std::uint8_t* __restrict x, float scale, int zero,
                int count) {
    for (int i = 0; i < count; ++i) out[i] = static_cast<float>(x[i] - zero) * scale;
}

template <class Tile>
constexpr Kernels::Row row_of() {
    if constexpr (std::is_void_v<Tile>)
        return nullptr;
    else
        return make_row<Tile>;
}

constexpr Kernels make_kernels(Instructions instructions, double bits_cost) {
    Kernels kernels{};
    kernels.instructions = instructions;
    kernels.lanes = lanes;
    kernels.integer_group = IntegerTile::group;
    kernels.is_wide = sizeof(IntegerTile::In) == 2;
    kernels.bits_cost = bits_cost;
    kernels.real_row = make_row<RealTile>;
    kernels.integer_row = make_row<IntegerTile>;
    kernels.short_row = row_of<ShortTile>();
    kernels.bits_row = make_row<BitsTile>;
    kernels.real_depthwise = make_depthwise_row<Real, float, float>;
    kernels.integer_depthwise = make_depthwise_row<Int, std::uint8_t, std::int32_t>;
    kernels.affine = affine;
    kernels.moments = moments;
    kernels.add = add;
    kernels.multiply = multiply;
    kernels.real_max = take_larger<float>;
    kernels.byte_max = take_larger<std::uint8_t>;
    kernels.real_window = take_window<float>;
    kernels.byte_window = take_window<std::uint8_t>;
    kernels.real_sum = take_sum<float, float>;
    kernels.byte_sum = take_sum<std::int32_t, std::uint8_t>;
    kernels.widen = widen;
    kernels.plane = plane;
    kernels.quantise = quantise;
    kernels.dequantise = dequantise;
    return kernels;
}
