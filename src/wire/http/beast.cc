// Beast in separate-compilation mode: the parts of it that we use are compiled here, once. All of Beast
// (boost/beast/src.hpp) would bring WebSocket and with it Asio into a folder that does no I/O.
#include <boost/beast/core/impl/string.ipp>
#include <boost/beast/http/detail/basic_parser.ipp>
#include <boost/beast/http/detail/rfc7230.ipp>
#include <boost/beast/http/impl/basic_parser.ipp>
#include <boost/beast/http/impl/error.ipp>
#include <boost/beast/http/impl/field.ipp>
#include <boost/beast/http/impl/rfc7230.ipp>
#include <boost/beast/http/impl/verb.ipp>

template class boost::beast::http::basic_parser<true>;
