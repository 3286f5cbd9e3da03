// OpenRTB 2.6 text in and out: everything of adagents::openrtb. A Reader is for one thread, Writer
// and NoticeSigner are for all.
#pragma once

#include "adagents/adapters/openrtb/notice.h"
#include "adagents/adapters/openrtb/reader.h"
#include "adagents/adapters/openrtb/writer.h"
