// Products that are summed in 16 bits, and now and then into 32.

template <class Tile, int positions, int vectors>
EDGELOOP_INLINE void empty(Int (&sums)[positions][vectors], Int (&shorts)[positions][vectors]) {
    EDGELOOP_UNROLL for (int p = 0; p < positions; ++p)
        EDGELOOP_UNROLL for (int n = 0; n < vectors; ++n) {
        sums[p][n] += Tile::widened(shorts[p][n]);
        shorts[p][n] = Int{};
    }
}

/// add_products() for tiles whose products are summed in 16 bits, which hold row.room groups.
template <class Tile, int positions, int vectors>
EDGELOOP_INLINE void add_short_products(const RowArguments& row, const typename Tile::In* input,
                                        const typename Tile::Weight* weights,
                                        Int (&sums)[positions][vectors]) {
    constexpr int bases = (positions + 2) / 3;
    const std::ptrdiff_t step = row.input_step;
    Int shorts[positions][vectors] = {};
    int room = row.room;
    for (int run = 0; run < row.run_count; ++run) {
        const typename Tile::In* x[bases];
        for (int i = 0; i < bases; ++i) x[i] = input + row.runs[run] + 3 * i * step;
        for (int group = 0; group < row.groups; ++group) {
            if (room-- == 0) {
                empty<Tile>(sums, shorts);
                room = row.room - 1;
            }
            Int w[vectors];
            EDGELOOP_UNROLL for (int n = 0; n < vectors; ++n) w[n] =
                Tile::load(weights + n * row.vector_weights);
            EDGELOOP_UNROLL for (int p = 0; p < positions; ++p) {
                const Int value = Tile::broadcast(x[p / 3] + p % 3 * step);
                EDGELOOP_UNROLL for (int n = 0; n < vectors; ++n) shorts[p][n] =
                    Tile::dot(shorts[p][n], w[n], value);
            }
            EDGELOOP_UNROLL for (int i = 0; i < bases; ++i) x[i] += Tile::group;
            weights += Tile::vector_step;
        }
    }
    empty<Tile>(sums, shorts);
}
