// The bodies of Asio's and Beast's functions, compiled once here (BOOST_ASIO_SEPARATE_COMPILATION)
// instead of in every file that includes them.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
