// PNG through libpng: samples as they are stored, but for packed ones, which get a byte each.
#if !__has_include(<png.h>)
#error "png.h not found: apt-get install libpng-dev"
#endif
#include <stdlib.h>

#include <png.h>

#include "outcome.h"

struct reader {
  const uint8_t *bytes;
  size_t remaining;
  struct ci_outcome outcome;
  char warning[200];
};

static void fail(png_structp png, png_const_charp message) {
  struct reader *reader = png_get_error_ptr(png);
  if (reader->outcome.reason == CI_DECODED)
    reader->outcome = ci_failed(strstr(message, "memory") ? CI_NO_MEMORY : CI_MALFORMED, message);
  png_longjmp(png, 1);
}

/// Keeps the first complaint about a checksum; the others are about chunks that no pixel depends on.
static void warn(png_structp png, png_const_charp message) {
  struct reader *reader = png_get_error_ptr(png);
  if (strstr(message, "CRC") && !reader->warning[0])
    snprintf(reader->warning, sizeof reader->warning, "%s", message);
}

static void read_bytes(png_structp png, png_bytep to, size_t count) {
  struct reader *reader = png_get_io_ptr(png);
  if (count > reader->remaining) {
    reader->outcome = ci_failed(CI_TRUNCATED, "the file ends in the middle of the picture");
    png_error(png, "truncated");
  }
  memcpy(to, reader->bytes, count);
  reader->bytes += count;
  reader->remaining -= count;
}

static void prepare(png_structp png, struct reader *reader) {
  png_set_read_fn(png, reader, read_bytes);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
  // Text, profiles and the like are skipped unread.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);
  png_set_chunk_malloc_max(png, 8 << 20);
}

static void copy_palette(png_structp png, png_infop info, uint8_t *palette) {
  png_colorp colors;
  int count = 0;
  if (!png_get_PLTE(png, info, &colors, &count)) return;
  for (int i = 0; i < count && i < 256; i++) {
    palette[3 * i] = colors[i].red;
    palette[3 * i + 1] = colors[i].green;
    palette[3 * i + 2] = colors[i].blue;
  }
}

/// Fails by `png_error`.
static void decode(png_structp png, png_infop info, struct reader *reader, int width, int height, int depth,
                   int color_type, uint8_t *pixels, uint8_t *palette) {
  prepare(png, reader);
  png_read_info(png, info);
  if (png_get_image_width(png, info) != (png_uint_32)width || png_get_image_height(png, info) != (png_uint_32)height ||
      png_get_bit_depth(png, info) != depth || png_get_color_type(png, info) != color_type)
    png_error(png, "two headers");
  if (color_type == PNG_COLOR_TYPE_PALETTE) copy_palette(png, info, palette);
  png_set_packing(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  size_t stride = png_get_rowbytes(png, info);
  for (int pass = 0; pass < passes; pass++)
    for (int y = 0; y < height; y++) png_read_row(png, pixels + y * stride, NULL);
  png_read_end(png, NULL);
}

struct ci_outcome ci_decode_png(const uint8_t *bytes, size_t count, int width, int height, int depth, int color_type,
                                int allow_truncated, uint8_t *pixels, uint8_t *palette) {
  struct reader *reader = calloc(1, sizeof *reader);
  if (!reader) return ci_failed(CI_NO_MEMORY, "out of memory");
  reader->bytes = bytes;
  reader->remaining = count;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, fail, warn);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    reader->outcome = ci_failed(CI_NO_MEMORY, "out of memory");
  } else if (setjmp(png_jmpbuf(png)) == 0) {
    decode(png, info, reader, width, height, depth, color_type, pixels, palette);
  }
  png_destroy_read_struct(&png, &info, NULL);
  struct ci_outcome outcome = reader->outcome;
  if (outcome.reason == CI_TRUNCATED && allow_truncated) outcome = (struct ci_outcome){.reason = CI_DECODED};
  if (outcome.reason == CI_DECODED) memcpy(outcome.message, reader->warning, sizeof outcome.message);
  free(reader);
  return outcome;
}
