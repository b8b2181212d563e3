// Products of planes of bits. Bits are counted in parts of a word, into which the counts of
// max_counts words go: bit_counts() are those of a word, gathered() the sums of its parts.

/// Sums over bit planes: two words are the channels of a vector.
struct BitsTile {
    struct Sum {
        Word low, high;
    };
    using In = std::uint8_t;
    using Weight = std::uint64_t;
    static constexpr int group = 8, vector_step = 2 * lanes, max_vectors = 1;
    static constexpr int positions(int) { return has_many_registers ? 10 : 3; }
    EDGELOOP_INLINE static Word broadcast(const std::uint8_t* x) {
        std::uint64_t word;
        std::memcpy(&word, x, sizeof word);
        return Word{} + word;
    }
};

template <int positions>
EDGELOOP_INLINE void gather(BitsTile::Sum (&sums)[positions][1], Word (&counts)[positions][2]) {
    EDGELOOP_UNROLL for (int p = 0; p < positions; ++p) {
        sums[p][0].low += gathered(counts[p][0]);
        sums[p][0].high += gathered(counts[p][1]);
        counts[p][0] = counts[p][1] = Word{};
    }
}

/// One plane of inputs by one of digits: bits where the digit is 1, their complements where it is
/// -1. Those are too many by the number of digits -1, which the bias lacks.
template <int positions>
EDGELOOP_INLINE void add_counts(const RowArguments& row, const std::uint8_t* input,
                                const std::uint64_t* weights, BitsTile::Sum (&sums)[positions][1]) {
    constexpr int half = lanes / 2, bases = (positions + 2) / 3;  // as in add_products()
    const std::ptrdiff_t step = row.input_step;
    Word counts[positions][2] = {};
    int room = max_counts;
    for (int run = 0; run < row.run_count; ++run) {
        const std::uint8_t* x[bases];
        for (int i = 0; i < bases; ++i) x[i] = input + row.runs[run] + 3 * i * step;
        for (int group = 0; group < row.groups; ++group) {
            if (room-- == 0) {
                gather(sums, counts);
                room = max_counts - 1;
            }
            const Word any[] = {load_vector<Word>(weights), load_vector<Word>(weights + half)};
            const Word negative[] = {load_vector<Word>(weights + 2 * half),
                                     load_vector<Word>(weights + 3 * half)};
            EDGELOOP_UNROLL for (int p = 0; p < positions; ++p) {
                const Word bits = BitsTile::broadcast(x[p / 3] + p % 3 * step);
                EDGELOOP_UNROLL for (int n = 0; n < 2; ++n) counts[p][n] +=
                    bit_counts(complemented(bits, any[n], negative[n]));
            }
            EDGELOOP_UNROLL for (int i = 0; i < bases; ++i) x[i] += BitsTile::group;
            weights += BitsTile::vector_step;
        }
    }
    gather(sums, counts);
}

/// All planes: the sums of pairs of higher planes are doubled on the way.
template <int positions>
EDGELOOP_INLINE void add_planes(const RowArguments& row, const std::uint8_t* input,
                                const std::uint64_t* weights, BitsTile::Sum (&sums)[positions][1]) {
    for (int power = row.input_planes + row.weight_planes - 2; power >= 0; --power) {
        EDGELOOP_UNROLL for (int p = 0; p < positions; ++p) {
            sums[p][0].low += sums[p][0].low;
            sums[p][0].high += sums[p][0].high;
        }
        for (int i = max_of(0, power - row.weight_planes + 1);
             i <= least(power, row.input_planes - 1); ++i)
            add_counts(row, input + i * row.input_plane, weights + (power - i) * row.weight_plane,
                       sums);
    }
}
