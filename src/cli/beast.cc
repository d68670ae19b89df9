// The rest of Beast that the client needs beside what wire/http/beast.cc compiles: reading responses, and fields.
#include <boost/beast/core/detail/impl/temporary_buffer.ipp>
#include <boost/beast/core/impl/error.ipp>
#include <boost/beast/core/impl/saved_handler.ipp>
#include <boost/beast/http/impl/basic_parser.ipp>
#include <boost/beast/http/impl/fields.ipp>
#include <boost/beast/http/impl/status.ipp>

template class boost::beast::http::basic_parser<false>;
