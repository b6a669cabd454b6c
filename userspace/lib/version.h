/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The version that both programs print. */
#ifndef DMAPAT_VERSION_H
#define DMAPAT_VERSION_H

#define DMAPAT_VERSION	"0.1"

#endif /* DMAPAT_VERSION_H */
