#pragma once
#include <hiredis/hiredis.h>

// hiredis names these by macro; Swift sees only typed constants.
static const int IF_REDIS_ERR_IO = REDIS_ERR_IO;
static const int IF_REDIS_ERR_EOF = REDIS_ERR_EOF;
static const int IF_REDIS_ERR_PROTOCOL = REDIS_ERR_PROTOCOL;
static const int IF_REDIS_ERR_OOM = REDIS_ERR_OOM;
static const int IF_REDIS_ERR_OTHER = REDIS_ERR_OTHER;
