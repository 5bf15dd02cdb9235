#pragma once
#include <stddef.h>
#include <stdint.h>

// Pictures: what libjpeg-turbo, libpng and libwebp decode, and Pillow's arithmetic on pixels.
//
// Common to all: pixels are rows without gaps, from the top, channels interleaved. Nothing is kept between calls, so
// any thread may call anything. Inputs and outputs do not overlap.

#pragma clang assume_nonnull begin

/// Why a picture was not decoded.
enum ci_reason { CI_DECODED, CI_TRUNCATED, CI_MALFORMED, CI_UNSUPPORTED, CI_NO_MEMORY };

/// What became of a picture: the reason, and the library's words for it, or a warning if it was decoded.
struct ci_outcome {
  enum ci_reason reason;
  char message[200];
};

/// Decodes a JPEG file of known size: 1 channel grey, 3 RGB, 4 CMYK with 0 for no ink, as Pillow has it.
/// Fills width × height × channels bytes, which were zero.
/// With `allow_truncated`, what is missing of a truncated file is made up by libjpeg.
struct ci_outcome ci_decode_jpeg(const uint8_t *bytes, size_t count, int width, int height, int channels,
                                 int allow_truncated, uint8_t *pixels);

/// Decodes a PNG file of known size, depth (1 to 16 bits) and PNG colour type. Samples of 16 bits are big-endian,
/// smaller ones a byte each, not scaled. Fills width × height × channels × bytes, which were zero, and 256 RGB colours
/// of a palette. With `allow_truncated`, rows that are missing stay zero.
struct ci_outcome ci_decode_png(const uint8_t *bytes, size_t count, int width, int height, int depth, int color_type,
                                int allow_truncated, uint8_t *pixels, uint8_t *palette);

/// What a WebP file says of itself. Offsets and sizes of its EXIF and XMP chunks are 0 without them.
struct ci_webp {
  uint32_t width, height;
  int has_alpha;
  size_t exif_offset, exif_size, xmp_offset, xmp_size;
};

/// Reads the structure of a WebP file.
struct ci_outcome ci_inspect_webp(const uint8_t *bytes, size_t count, struct ci_webp *webp);

/// Decodes the first frame of a WebP file on its canvas: width × height × 4 bytes of RGBA if it has alpha, else
/// × 3 of RGB.
struct ci_outcome ci_decode_webp(const uint8_t *bytes, size_t count, const struct ci_webp *webp, uint8_t *pixels);

/// RGB from each mode of Pillow, n pixels.
void ci_rgb_from_1(const uint8_t *in, uint8_t *rgb, size_t n);
void ci_rgb_from_l(const uint8_t *in, uint8_t *rgb, size_t n);
void ci_rgb_from_la(const uint8_t *in, uint8_t *rgb, size_t n);
void ci_rgb_from_rgba(const uint8_t *in, uint8_t *rgb, size_t n);
void ci_rgb_from_cmyk(const uint8_t *in, uint8_t *rgb, size_t n);
/// 16-bit little-endian grey, clipped at 255.
void ci_rgb_from_i16(const uint8_t *in, uint8_t *rgb, size_t n);
/// Indexes into 256 RGB colours.
void ci_rgb_from_p(const uint8_t *in, const uint8_t *palette, uint8_t *rgb, size_t n);

/// n pixels of `channels`, the last of which is alpha, multiplied with it, and back: each rounded to 8 bits.
void ci_premultiply(const uint8_t *in, uint8_t *out, size_t n, int channels);
void ci_unpremultiply(const uint8_t *in, uint8_t *out, size_t n, int channels);

/// The first of each two bytes.
void ci_high_bytes(const uint8_t *in, uint8_t *out, size_t n);
/// RGBA of 8 bits from grey and alpha of 16, big-endian.
void ci_rgba_from_la16(const uint8_t *in, uint8_t *rgba, size_t n);
/// Big-endian samples as little-endian ones, or back.
void ci_swap_16(uint8_t *samples, size_t n);

/// RGB pixels where those of one colour are white.
void ci_whiten(const uint8_t *in, uint8_t *out, size_t n, uint8_t red, uint8_t green, uint8_t blue);

/// RGB pixels turned by an EXIF orientation, 1 to 8; from 5 on, `out` has height columns and width rows.
void ci_orient(const uint8_t *in, uint8_t *out, size_t width, size_t height, int orientation);

/// Planes [3, n] from n RGB pixels, by a table of 256 values for each channel.
void ci_normalize(const uint8_t *rgb, size_t n, const float *table, float *planes);

/// The weights of one pass of a resize: output i is the sum of `counts[i]` inputs from `starts[i]` on, each times
/// `weights[i * taps + …]`. Every sum of starts and counts is within the input.
struct ci_weights {
  size_t outputs, taps;
  const int32_t *starts, *counts;
  /// For 8 bits: fixed point, 22 bits after the point. Null if the samples have 16.
  const int32_t *_Nullable fixed;
  /// For 16 bits.
  const double *_Nullable exact;
};

/// Resizes `rows` rows of pixels with `channels` samples of 8 bits: `in_stride` bytes a row become `outputs` pixels.
/// `in_end` is the end of readable memory. Level 0 is the reference; others have the same result.
void ci_resize_rows(int level, const uint8_t *in, size_t in_stride, const uint8_t *in_end, uint8_t *out, size_t rows,
                    int channels, const struct ci_weights *weights);

/// Resizes columns: `outputs` rows of `row` samples of 8 bits from rows of as many.
void ci_resize_columns(int level, const uint8_t *in, uint8_t *out, size_t row, const struct ci_weights *weights);

/// The same for samples of 16 bits, little-endian; one channel.
void ci_resize_rows_16(const uint8_t *in, size_t in_stride, uint8_t *out, size_t rows,
                       const struct ci_weights *weights);
void ci_resize_columns_16(const uint8_t *in, uint8_t *out, size_t row, const struct ci_weights *weights);

/// How many levels of `ci_resize_rows` and `ci_resize_columns` this machine has: at least 1.
int ci_level_count(void);

#pragma clang assume_nonnull end
