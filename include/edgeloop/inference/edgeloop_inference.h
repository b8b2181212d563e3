#ifndef EDGELOOP_INFERENCE_H
#define EDGELOOP_INFERENCE_H

/* A network of an .elm file in a C program. Link libedgeloop_inference (shared or static).
 *
 * A model is for one thread at a time. Functions that return int give 0, or the exit code that
 * edgeloop's programs would end with: 2 bad input, 3 the system failed, 4 a broken file, 70 a bug.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edgeloop_model edgeloop_model;

/* Reads a file and plans it.
 *   threads      1 or more, with the caller's
 *   cpus         one processor for each thread, to pin all but the caller's to; NULL: any
 *   instructions "portable", "avx2", "avx512", "avx-vnni", "avx512-vnni" or "avx512-popcnt";
 *                NULL: the best
 *   model        the result, for edgeloop_model_free(); NULL on failure
 *   error        gets what is wrong, one line with its zero byte; may be NULL when size is 0 */
int edgeloop_model_load(const char* path, int threads, const int* cpus, const char* instructions,
                        edgeloop_model** model, char* error, size_t error_size);
void edgeloop_model_free(edgeloop_model* model);

int edgeloop_model_frames(const edgeloop_model* model);
int edgeloop_model_side(const edgeloop_model* model);      /* of normalised clips, in pixels */
int edgeloop_model_crop_side(const edgeloop_model* model); /* of crops: 41 */
int edgeloop_model_targets(const edgeloop_model* model);
/* Valid as long as the model. index: from 0, below edgeloop_model_targets(). */
const char* edgeloop_model_target_name(const edgeloop_model* model, int index);
const char* edgeloop_model_target_unit(const edgeloop_model* model, int index);

/* From crops of a camera, uint8 (frames, crop side, crop side), to one physical value a target.
 * Allocates nothing and takes no lock. */
void edgeloop_model_run(edgeloop_model* model, const uint8_t* crops, float* values);
/* The same from a normalised clip, (frames, side, side). */
void edgeloop_model_run_clip(edgeloop_model* model, const float* clip, float* values);

#ifdef __cplusplus
}
#endif

#endif
