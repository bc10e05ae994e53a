#include <stdio.h>

int main(void)
{
    printf("weir %s\n", WEIR_VERSION);
    return 0;
}
