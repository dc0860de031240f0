/* The products made of one multiply-add: its tiles and lines of every size, tables of them by size, and
 * the two kernels that choose from the tables.  The including file defines TILE(V, M) and LINE(V, Q),
 * which write one function each, and NAME, which gives its name a suffix.
 */
#define TILES(M) TILE(1, M) TILE(2, M) TILE(3, M) TILE(4, M)
#define TILE_TABLE(M) {0, NAME(tile_1_##M), NAME(tile_2_##M), NAME(tile_3_##M), NAME(tile_4_##M)}
TILES(1) TILES(2)
#if TILE_ROWS >= 3
TILES(3)
#endif
#if TILE_ROWS >= 6
TILES(4) TILES(5) TILES(6)
#endif
#if TALL_ROWS > TILE_ROWS
#define TALL_TILES(M) TILE(1, M) TILE(2, M) TILE(3, M)
#define TALL_TABLE(M) {0, NAME(tile_1_##M), NAME(tile_2_##M), NAME(tile_3_##M), 0}
TALL_TILES(7) TALL_TILES(8)
#endif

static const FN(tile) NAME(tiles)[][SK_MAX_VECTORS + 1] = {
    {0}, TILE_TABLE(1), TILE_TABLE(2),
#if TILE_ROWS >= 3
    TILE_TABLE(3),
#endif
#if TILE_ROWS >= 6
    TILE_TABLE(4), TILE_TABLE(5), TILE_TABLE(6),
#endif
#if TALL_ROWS > TILE_ROWS
    TALL_TABLE(7), TALL_TABLE(8),
#endif
};

static void NAME(product)(
    const sk_product *p, int64_t vectors, int64_t rows, char *const *a, const char *w, char *z)
{
    FN(by_tiles)(NAME(tiles), p, vectors, rows, a, w, z);
}

#define LINES(Q) LINE(1, Q) LINE(2, Q) LINE(3, Q) LINE(4, Q)
#define LINE_TABLE(Q) {0, NAME(line_1_##Q), NAME(line_2_##Q), NAME(line_3_##Q), NAME(line_4_##Q)}
LINES(1) LINES(2)
#if LINE_PANELS >= 4
LINES(4)
#endif

static const FN(line_kernel) NAME(lines)[][SK_MAX_VECTORS + 1] = {
    LINE_TABLE(1), LINE_TABLE(2),
#if LINE_PANELS >= 4
    LINE_TABLE(4),
#endif
};

static void NAME(line)(
    const sk_product *p, int64_t vectors, int64_t panels, const char *a, const char *w, int64_t w_panel, char *z,
    int64_t z_panel, int64_t bias_panel)
{
    FN(by_lines)(NAME(lines), p, vectors, panels, a, w, w_panel, z, z_panel, bias_panel);
}

#undef TILE
#undef TILES
#undef TILE_TABLE
#undef TALL_TILES
#undef TALL_TABLE
#undef LINE
#undef LINES
#undef LINE_TABLE
#undef NAME
