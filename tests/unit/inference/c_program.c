/* Loads a model through the shared library and prints what it says of a grey crop. */
#include "edgeloop/inference/edgeloop_inference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char** argv) {
    char error[300];
    edgeloop_model* model = NULL;
    const int code = edgeloop_model_load(argc > 1 ? argv[1] : "", 1, NULL, NULL, &model, error,
                                         sizeof error);
    if (code != 0) {
        fprintf(stderr, "%s\n", error);
        return code;
    }
    const size_t side = (size_t)edgeloop_model_crop_side(model);
    const size_t bytes = (size_t)edgeloop_model_frames(model) * side * side;
    const int targets = edgeloop_model_targets(model);
    uint8_t* crops = malloc(bytes);
    float* values = malloc((size_t)targets * sizeof *values);
    if (crops == NULL || values == NULL) return 3;
    memset(crops, 128, bytes);
    edgeloop_model_run(model, crops, values);
    for (int i = 0; i < targets; ++i)
        printf("%s %g %s\n", edgeloop_model_target_name(model, i), (double)values[i],
               edgeloop_model_target_unit(model, i));
    free(values);
    free(crops);
    edgeloop_model_free(model);
    return 0;
}
