// Pillow's conversions between modes.
#include "cimages.h"

/// a · b / 255, rounded.
static inline unsigned scaled(unsigned a, unsigned b) {
  unsigned product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

static inline void put(uint8_t *rgb, size_t i, unsigned red, unsigned green, unsigned blue) {
  rgb[3 * i] = (uint8_t)red;
  rgb[3 * i + 1] = (uint8_t)green;
  rgb[3 * i + 2] = (uint8_t)blue;
}

static inline void put_grey(uint8_t *rgb, size_t i, unsigned grey) { put(rgb, i, grey, grey, grey); }

void ci_rgb_from_1(const uint8_t *in, uint8_t *rgb, size_t n) {
  for (size_t i = 0; i < n; i++) put_grey(rgb, i, in[i] ? 255 : 0);
}

void ci_rgb_from_l(const uint8_t *in, uint8_t *rgb, size_t n) {
  for (size_t i = 0; i < n; i++) put_grey(rgb, i, in[i]);
}

void ci_rgb_from_la(const uint8_t *in, uint8_t *rgb, size_t n) {
  for (size_t i = 0; i < n; i++) put_grey(rgb, i, in[2 * i]);
}

void ci_rgb_from_rgba(const uint8_t *in, uint8_t *rgb, size_t n) {
  for (size_t i = 0; i < n; i++) put(rgb, i, in[4 * i], in[4 * i + 1], in[4 * i + 2]);
}

void ci_rgb_from_cmyk(const uint8_t *in, uint8_t *rgb, size_t n) {
  for (size_t i = 0; i < n; i++) {
    unsigned light = 255 - in[4 * i + 3];
    put(rgb, i, light - scaled(in[4 * i], light), light - scaled(in[4 * i + 1], light),
        light - scaled(in[4 * i + 2], light));
  }
}

void ci_rgb_from_i16(const uint8_t *in, uint8_t *rgb, size_t n) {
  for (size_t i = 0; i < n; i++) put_grey(rgb, i, in[2 * i + 1] ? 255 : in[2 * i]);
}

void ci_rgb_from_p(const uint8_t *in, const uint8_t *palette, uint8_t *rgb, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const uint8_t *color = palette + 3 * in[i];
    put(rgb, i, color[0], color[1], color[2]);
  }
}

void ci_premultiply(const uint8_t *in, uint8_t *out, size_t n, int channels) {
  for (size_t i = 0; i < n; i++, in += channels, out += channels) {
    unsigned alpha = in[channels - 1];
    for (int c = 0; c < channels - 1; c++) out[c] = (uint8_t)scaled(in[c], alpha);
    out[channels - 1] = (uint8_t)alpha;
  }
}

void ci_unpremultiply(const uint8_t *in, uint8_t *out, size_t n, int channels) {
  for (size_t i = 0; i < n; i++, in += channels, out += channels) {
    unsigned alpha = in[channels - 1];
    for (int c = 0; c < channels - 1; c++) {
      unsigned value = alpha == 0 ? in[c] : 255u * in[c] / alpha;
      out[c] = (uint8_t)(value < 256 ? value : 255);
    }
    out[channels - 1] = (uint8_t)alpha;
  }
}

void ci_high_bytes(const uint8_t *in, uint8_t *out, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = in[2 * i];
}

void ci_rgba_from_la16(const uint8_t *in, uint8_t *rgba, size_t n) {
  for (size_t i = 0; i < n; i++, in += 4, rgba += 4) {
    rgba[0] = rgba[1] = rgba[2] = in[0];
    rgba[3] = in[2];
  }
}

void ci_swap_16(uint8_t *samples, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint8_t high = samples[2 * i];
    samples[2 * i] = samples[2 * i + 1];
    samples[2 * i + 1] = high;
  }
}

void ci_whiten(const uint8_t *in, uint8_t *out, size_t n, uint8_t red, uint8_t green, uint8_t blue) {
  for (size_t i = 0; i < n; i++) {
    const uint8_t *pixel = in + 3 * i;
    int is_clear = pixel[0] == red && pixel[1] == green && pixel[2] == blue;
    put(out, i, is_clear ? 255 : pixel[0], is_clear ? 255 : pixel[1], is_clear ? 255 : pixel[2]);
  }
}

void ci_orient(const uint8_t *in, uint8_t *out, size_t width, size_t height, int orientation) {
  int transposed = orientation >= 5;
  int mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  int upside_down = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  size_t columns = transposed ? height : width, rows = transposed ? width : height;
  for (size_t y = 0; y < rows; y++) {
    for (size_t x = 0; x < columns; x++, out += 3) {
      size_t column = transposed ? y : x, row = transposed ? x : y;
      if (mirrored) column = width - 1 - column;
      if (upside_down) row = height - 1 - row;
      const uint8_t *pixel = in + 3 * (row * width + column);
      for (int c = 0; c < 3; c++) out[c] = pixel[c];
    }
  }
}

void ci_normalize(const uint8_t *rgb, size_t n, const float *table, float *planes) {
  for (size_t c = 0; c < 3; c++)
    for (size_t i = 0; i < n; i++) planes[c * n + i] = table[256 * c + rgb[3 * i + c]];
}
