/* SPDX-License-Identifier: Apache-2.0 */
/* Private to ref/: the exact output of a row whose classes are already known. */
#ifndef SINKPROOF_REF_EXACT_H
#define SINKPROOF_REF_EXACT_H

#include "ref/classes.h"

/* True, and *value the common mean, when the value means of all classes coincide. The visible
 * values of the component must be finite. */
bool sp_ref_mean_of_classes(const sp_ref_classes *classes, size_t component, mpq_t value);

#endif
