// PNG through libpng: samples as they are stored, but for packed ones, which get a byte each.
#if !__has_include(<png.h>)
#error "png.h not found: apt-get install libpng-dev"
#endif
#include <stdlib.h>

#include <png.h>

#include "outcome.h"

struct decoder {
  uint8_t *pixels;
  size_t stride;
  int pixel_size, has_ended;
  /// Rows, or parts of rows, that are yet to come.
  size_t missing_rows;
  png_infop info;
  struct ci_outcome outcome;
  char warning[200];
};

static void fail(png_structp png, png_const_charp message) {
  struct decoder *decoder = png_get_error_ptr(png);
  if (decoder->outcome.reason == CI_DECODED)
    decoder->outcome = ci_failed(strstr(message, "memory") ? CI_NO_MEMORY : CI_MALFORMED, message);
  png_longjmp(png, 1);
}

/// Keeps the first complaint about a checksum; the others are about chunks that no pixel depends on.
static void warn(png_structp png, png_const_charp message) {
  struct decoder *decoder = png_get_error_ptr(png);
  if (strstr(message, "CRC") && !decoder->warning[0])
    snprintf(decoder->warning, sizeof decoder->warning, "%s", message);
}

/// What the caller knows of the file.
struct expected {
  int width, height, depth, color_type;
  uint8_t *palette;
};

/// How many rows the file has; of an interlaced picture, of all passes that have columns.
static size_t rows_of(const struct expected *expected, int interlaced) {
  if (!interlaced) return (size_t)expected->height;
  size_t rows = 0;
  for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
    if (PNG_PASS_COLS(expected->width, pass) > 0) rows += (size_t)PNG_PASS_ROWS(expected->height, pass);
  return rows;
}

static void take_header(png_structp png, png_infop info) {
  struct decoder *decoder = png_get_error_ptr(png);
  const struct expected *expected = png_get_progressive_ptr(png);
  if (png_get_image_width(png, info) != (png_uint_32)expected->width ||
      png_get_image_height(png, info) != (png_uint_32)expected->height ||
      png_get_bit_depth(png, info) != expected->depth || png_get_color_type(png, info) != expected->color_type)
    png_error(png, "two headers");
  png_colorp colors;
  int count = 0;
  if (expected->color_type == PNG_COLOR_TYPE_PALETTE && png_get_PLTE(png, info, &colors, &count)) {
    for (int i = 0; i < count && i < 256; i++) {
      uint8_t *color = expected->palette + 3 * i;
      color[0] = colors[i].red;
      color[1] = colors[i].green;
      color[2] = colors[i].blue;
    }
  }
  png_set_packing(png);
  png_start_read_image(png);
  decoder->pixel_size = png_get_channels(png, info) * (expected->depth == 16 ? 2 : 1);
  decoder->stride = (size_t)expected->width * decoder->pixel_size;
  decoder->missing_rows = rows_of(expected, png_get_interlace_type(png, info) != PNG_INTERLACE_NONE);
}

/// A row as it is stored: of an interlaced picture, the part of a row that a pass has.
static void take_row(png_structp png, png_bytep row, png_uint_32 y, int pass) {
  struct decoder *decoder = png_get_error_ptr(png);
  const struct expected *expected = png_get_progressive_ptr(png);
  if (!row || decoder->missing_rows == 0) return;
  decoder->missing_rows--;
  if (png_get_interlace_type(png, decoder->info) == PNG_INTERLACE_NONE) {
    memcpy(decoder->pixels + y * decoder->stride, row, decoder->stride);
    return;
  }
  png_uint_32 columns = PNG_PASS_COLS((png_uint_32)expected->width, pass);
  uint8_t *line = decoder->pixels + PNG_ROW_FROM_PASS_ROW(y, pass) * decoder->stride;
  for (png_uint_32 x = 0; x < columns; x++, row += decoder->pixel_size)
    memcpy(line + PNG_COL_FROM_PASS_COL(x, pass) * decoder->pixel_size, row, decoder->pixel_size);
}

static void take_end(png_structp png, png_infop info) {
  (void)info;
  struct decoder *decoder = png_get_error_ptr(png);
  decoder->has_ended = 1;
}

static void prepare(png_structp png, struct expected *expected) {
  png_set_progressive_read_fn(png, expected, take_header, take_row, take_end);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
  // Text, profiles and the like are skipped unread.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);
  png_set_chunk_malloc_max(png, 8 << 20);
}

struct ci_outcome ci_decode_png(const uint8_t *bytes, size_t count, int width, int height, int depth, int color_type,
                                int allow_truncated, uint8_t *pixels, uint8_t *palette) {
  struct decoder *decoder = calloc(1, sizeof *decoder);
  if (!decoder) return ci_failed(CI_NO_MEMORY, "out of memory");
  struct expected expected = {width, height, depth, color_type, palette};
  decoder->pixels = pixels;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, decoder, fail, warn);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  decoder->info = info;
  if (!info) {
    decoder->outcome = ci_failed(CI_NO_MEMORY, "out of memory");
  } else if (setjmp(png_jmpbuf(png)) == 0) {
    prepare(png, &expected);
    // The library takes the file without changing it.
    png_process_data(png, info, (png_bytep)bytes, count);
    if (!allow_truncated && !decoder->has_ended)
      decoder->outcome = ci_failed(CI_TRUNCATED, "the file ends in the middle of the picture");
    else if (!allow_truncated && decoder->missing_rows > 0)
      decoder->outcome = ci_failed(CI_TRUNCATED, "the compressed data end before the picture does");
  }
  png_destroy_read_struct(&png, &info, NULL);
  struct ci_outcome outcome = decoder->outcome;
  if (outcome.reason == CI_DECODED) memcpy(outcome.message, decoder->warning, sizeof outcome.message);
  free(decoder);
  return outcome;
}
