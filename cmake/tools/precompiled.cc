// Has the headers that all tests share compiled with the flags of a program.
int main() {}
