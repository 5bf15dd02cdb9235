// WebP through libwebp's animation decoder, as Pillow reads still pictures too.
#if !__has_include(<webp/demux.h>)
#error "webp/demux.h not found: apt-get install libwebp-dev"
#endif
#include <webp/demux.h>

#include "outcome.h"

/// Where a chunk lies in the file; the chunk's bytes are within it.
static void locate(const WebPDemuxer *demuxer, const char *name, const uint8_t *bytes, size_t *offset, size_t *size) {
  WebPChunkIterator chunk;
  if (WebPDemuxGetChunk(demuxer, name, 1, &chunk)) {
    *offset = (size_t)(chunk.chunk.bytes - bytes);
    *size = chunk.chunk.size;
  }
  WebPDemuxReleaseChunkIterator(&chunk);
}

struct ci_outcome ci_inspect_webp(const uint8_t *bytes, size_t count, struct ci_webp *webp) {
  WebPData data = {bytes, count};
  WebPDemuxState state;
  WebPDemuxer *demuxer = WebPDemuxPartial(&data, &state);
  *webp = (struct ci_webp){0};
  if (!demuxer || state != WEBP_DEMUX_DONE) {
    enum ci_reason reason = state == WEBP_DEMUX_PARSE_ERROR ? CI_MALFORMED : CI_TRUNCATED;
    WebPDemuxDelete(demuxer);
    return ci_failed(reason, reason == CI_MALFORMED ? "chunks that are no WebP" : "the file ends in the middle of it");
  }
  webp->width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
  webp->height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
  webp->has_alpha = (WebPDemuxGetI(demuxer, WEBP_FF_FORMAT_FLAGS) & ALPHA_FLAG) != 0;
  locate(demuxer, "EXIF", bytes, &webp->exif_offset, &webp->exif_size);
  locate(demuxer, "XMP ", bytes, &webp->xmp_offset, &webp->xmp_size);
  WebPDemuxDelete(demuxer);
  return (struct ci_outcome){.reason = CI_DECODED};
}

struct ci_outcome ci_decode_webp(const uint8_t *bytes, size_t count, const struct ci_webp *webp, uint8_t *pixels) {
  WebPData data = {bytes, count};
  WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, NULL);
  if (!decoder) return ci_failed(CI_NO_MEMORY, "libwebp cannot begin to decode");
  uint8_t *canvas;
  int timestamp;
  struct ci_outcome outcome = {.reason = CI_DECODED};
  size_t n = (size_t)webp->width * webp->height;
  if (!WebPAnimDecoderGetNext(decoder, &canvas, &timestamp)) {
    outcome = ci_failed(CI_MALFORMED, "libwebp cannot decode the first frame");
  } else if (webp->has_alpha) {
    memcpy(pixels, canvas, 4 * n);
  } else {
    ci_rgb_from_rgba(canvas, pixels, n);
  }
  WebPAnimDecoderDelete(decoder);
  return outcome;
}
