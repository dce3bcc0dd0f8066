/* Entropies of class targets: of all samples, and within the batches of an epoch. */
#ifndef GRADTOOL_DIAGNOSE_CLASS_FACTS_H
#define GRADTOOL_DIAGNOSE_CLASS_FACTS_H

#include "diagnose/data_facts.h"

/* Fills in what facts say of classes; facts->classes > 0 is known. */
void class_facts_fill(DataFacts *facts, const Config *config, Arena *arena);

#endif
