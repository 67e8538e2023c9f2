/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a case file, shared by its writer and its reader so that neither can know one that
 * the other does not. (CT-4) */
#ifndef SINKPROOF_CASEFILE_H
#define SINKPROOF_CASEFILE_H

#include "certify/case/case.h"

#define SP_CASEFILE_MAGIC "sinkproof case 1"

typedef enum sp_field_kind {
  SP_FIELD_SIZE, /* size_t, decimal */
  SP_FIELD_U64,  /* hex */
  SP_FIELD_U32,  /* decimal */
  SP_FIELD_BOOL, /* 0 or 1 */
  SP_FIELD_F32,  /* the bits of a float, hex */
  SP_FIELD_F64,  /* … of a double */
  SP_FIELD_DTYPE /* a name */
} sp_field_kind;

typedef struct sp_field {
  const char *name;
  sp_field_kind kind;
  size_t offset; /* in sp_case */
  bool later;    /* older files lack it: written only when it is not 0 */
} sp_field;

typedef struct sp_array_field {
  const char *name;
  size_t offset; /* of the sp_array in sp_case */
} sp_array_field;

const sp_field *sp_casefile_fields(size_t *count);
const sp_array_field *sp_casefile_arrays(size_t *count);

extern const char *const sp_op_names[SP_N_OPS];

#endif
