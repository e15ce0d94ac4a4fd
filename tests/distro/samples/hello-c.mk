hello-c: hello.c
	$(CC) $(CFLAGS) -o $@ $<
