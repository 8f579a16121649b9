#pragma once
#include <hiredis/hiredis.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

// Glibc declares these as C enums and Musl as macros; Swift gets one type on both.
static const int IF_SOCKET_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
static const int IF_STREAM = SOCK_STREAM;
static const int IF_NO_SIGNAL = MSG_NOSIGNAL;
static const int IF_PEEK = MSG_PEEK | MSG_DONTWAIT;
static const int IF_EVENT_FLAGS = EFD_CLOEXEC | EFD_NONBLOCK;
