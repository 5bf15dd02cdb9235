// JPEG through libjpeg-turbo, with the settings that Pillow leaves as they are: the exact DCT, smooth upsampling.
#if !__has_include(<jpeglib.h>)
#error "jpeglib.h not found: apt-get install libjpeg62-turbo-dev"
#endif
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

#include "outcome.h"

/// More scans than any encoder makes: each costs a pass over the picture.
#define MAX_SCANS 500

struct decoder {
  struct jpeg_decompress_struct info;
  struct jpeg_error_mgr errors;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  int allow_truncated;
  jmp_buf failed;
  struct ci_outcome outcome;
  /// What was wrong with a picture that was decoded.
  struct ci_outcome warning;
};

static void fail(j_common_ptr info) {
  struct decoder *decoder = info->client_data;
  char message[JMSG_LENGTH_MAX];
  info->err->format_message(info, message);
  int code = info->err->msg_code;
  enum ci_reason reason = code == JERR_OUT_OF_MEMORY                                       ? CI_NO_MEMORY
                          : code == JERR_SOF_UNSUPPORTED || code == JERR_BAD_PRECISION     ? CI_UNSUPPORTED
                          : code == JERR_CONVERSION_NOTIMPL || code == JERR_ARITH_NOTIMPL ? CI_UNSUPPORTED
                                                                                           : CI_MALFORMED;
  decoder->outcome = ci_failed(reason, message);
  longjmp(decoder->failed, 1);
}

static void say_nothing(j_common_ptr info) { (void)info; }

/// Keeps the first warning; traces have levels from 0 on.
static void keep_warning(j_common_ptr info, int level) {
  struct decoder *decoder = info->client_data;
  if (level >= 0 || info->err->num_warnings++ > 0) return;
  char message[JMSG_LENGTH_MAX];
  info->err->format_message(info, message);
  decoder->warning = ci_failed(CI_DECODED, message);
}

static void limit_scans(j_common_ptr info) {
  struct decoder *decoder = info->client_data;
  if (decoder->info.input_scan_number <= MAX_SCANS) return;
  decoder->outcome = ci_failed(CI_MALFORMED, "more than 500 scans");
  longjmp(decoder->failed, 1);
}

/// The file has ended: decoding is suspended, or the picture is made to end here.
static boolean no_more_input(j_decompress_ptr info) {
  static const JOCTET end[] = {0xFF, JPEG_EOI};
  struct decoder *decoder = info->client_data;
  if (!decoder->allow_truncated) return FALSE;
  info->src->next_input_byte = end;
  info->src->bytes_in_buffer = sizeof end;
  return TRUE;
}

static void skip_input(j_decompress_ptr info, long count) {
  struct jpeg_source_mgr *source = info->src;
  if (count <= 0) return;
  size_t skipped = (size_t)count < source->bytes_in_buffer ? (size_t)count : source->bytes_in_buffer;
  source->next_input_byte += skipped;
  source->bytes_in_buffer -= skipped;
}

static void do_nothing(j_decompress_ptr info) { (void)info; }

static struct ci_outcome decode(struct decoder *decoder, int width, int height, int channels, uint8_t *pixels) {
  static const J_COLOR_SPACE spaces[] = {0, JCS_GRAYSCALE, 0, JCS_RGB, JCS_CMYK};
  struct jpeg_decompress_struct *info = &decoder->info;
  const struct ci_outcome truncated = ci_failed(CI_TRUNCATED, "the file ends in the middle of the picture");
  if (jpeg_read_header(info, TRUE) != JPEG_HEADER_OK) return truncated;
  if (info->arith_code) return ci_failed(CI_UNSUPPORTED, "arithmetic coding");
  if (info->image_width != (JDIMENSION)width || info->image_height != (JDIMENSION)height ||
      info->num_components != channels)
    return ci_failed(CI_MALFORMED, "two frame headers");
  info->out_color_space = spaces[channels];
  if (!jpeg_start_decompress(info)) return truncated;
  size_t stride = (size_t)width * channels;
  while (info->output_scanline < info->output_height) {
    JSAMPROW row = pixels + info->output_scanline * stride;
    if (jpeg_read_scanlines(info, &row, 1) != 1) return truncated;
  }
  if (!jpeg_finish_decompress(info)) return truncated;
  return decoder->warning;
}

struct ci_outcome ci_decode_jpeg(const uint8_t *bytes, size_t count, int width, int height, int channels,
                                 int allow_truncated, uint8_t *pixels) {
  struct decoder *decoder = calloc(1, sizeof *decoder);
  if (!decoder) return ci_failed(CI_NO_MEMORY, "out of memory");
  decoder->allow_truncated = allow_truncated;
  decoder->info.err = jpeg_std_error(&decoder->errors);
  decoder->errors.error_exit = fail;
  decoder->errors.output_message = say_nothing;
  decoder->errors.emit_message = keep_warning;
  decoder->info.client_data = decoder;
  if (setjmp(decoder->failed) == 0) {
    jpeg_create_decompress(&decoder->info);
    decoder->source = (struct jpeg_source_mgr){
        .next_input_byte = bytes,
        .bytes_in_buffer = count,
        .init_source = do_nothing,
        .fill_input_buffer = no_more_input,
        .skip_input_data = skip_input,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = do_nothing,
    };
    decoder->info.src = &decoder->source;
    decoder->progress.progress_monitor = limit_scans;
    decoder->info.progress = &decoder->progress;
    decoder->outcome = decode(decoder, width, height, channels, pixels);
  }
  jpeg_destroy_decompress(&decoder->info);
  struct ci_outcome outcome = decoder->outcome;
  free(decoder);
  // Pillow takes every CMYK picture for Adobe's, which stores 255 for no ink.
  if (outcome.reason == CI_DECODED && channels == 4)
    for (size_t i = 0; i < (size_t)width * height * 4; i++) pixels[i] = 255 - pixels[i];
  return outcome;
}
